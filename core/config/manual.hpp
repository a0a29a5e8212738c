// The manual as data: a topic for every diagnostic code, key, table, kind, metric, verdict and
// word. `drill explain` prints it; nothing is read from disk.
// Must not: say anything that a table of this program could say by itself (keys.hpp, Param, pages).
// Next: manual_codes.hpp; report/markdown.hpp shows the text.
#pragma once

#include "model/kind.hpp"
#include "model/kind_page.hpp"
#include "model/probe.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace drill {

struct ManualSources {
    Kinds kinds;
    ProbeKinds probe_kinds;
    KindPages fault_pages, probe_pages;
};

/// In the order in which groups are listed.
enum class TopicGroup : std::uint8_t { fault, probe, table, key, metric, verdict, word, code };
[[nodiscard]] const char* name_of(TopicGroup group) noexcept;

struct Topic {
    TopicGroup group{TopicGroup::word};
    std::string name;                  ///< unique in its group: "E0101", "limit.longest", "http"
    std::vector<std::string> aliases;  ///< "longest"; what is shared gives several topics
    std::string summary;               ///< one line
    std::string text;                  ///< Markdown, without a title
};

/// Every topic, by group, then in the order of its table.
[[nodiscard]] std::vector<Topic> manual(const ManualSources& sources);

/// The topics that `word` names: all of those with this name in any group, else all with this
/// alias. Letters may be of either case.
[[nodiscard]] std::vector<const Topic*> find_topics(const std::vector<Topic>& topics,
                                                    std::string_view word);
/// Up to three names near to a word that names nothing, nearest first.
[[nodiscard]] std::vector<std::string> near_topics(const std::vector<Topic>& topics,
                                                   std::string_view word);

}  // namespace drill
