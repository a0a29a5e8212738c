// drill explain [TOPIC]: the manual, from the binary alone. Reads no file and asks no host.
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "config/manual.hpp"
#include "faults/kinds.hpp"
#include "probes/kinds.hpp"
#include "report/markdown.hpp"

namespace drill::cli {

namespace {

const char* heading_of(TopicGroup group) {
    switch (group) {
        case TopicGroup::fault: return "FAULTS  (`fault` of a [[step]])";
        case TopicGroup::probe: return "PROBES  (`kind` of a [[probe]])";
        case TopicGroup::table: return "TABLES  of files; each shows its keys";
        case TopicGroup::key: return "KEYS";
        case TopicGroup::metric: return "METRICS";
        case TopicGroup::verdict: return "VERDICTS";
        case TopicGroup::word: return "WORDS";
        case TopicGroup::code: return "CODES";
    }
    return "";
}

/// Keys and codes are many: their names alone, several on a line.
bool is_dense(TopicGroup group) { return group == TopicGroup::key || group == TopicGroup::code; }

void list(const Globals& globals, const std::vector<Topic>& topics) {
    Page page(page_style(globals));
    for (const TopicGroup group :
         {TopicGroup::fault, TopicGroup::probe, TopicGroup::metric, TopicGroup::verdict,
          TopicGroup::word, TopicGroup::table, TopicGroup::key, TopicGroup::code}) {
        std::vector<std::vector<std::string>> rows;
        std::string names;
        for (const Topic& topic : topics) {
            if (topic.group != group) { continue; }
            rows.push_back({topic.name, topic.summary});
            names += "  " + topic.name;
        }
        page.line(page.ink(Ink::strong, heading_of(group)), 0);
        if (is_dense(group)) {
            page.line(names, 2);
        } else {
            page.table(rows);
        }
        page.blank();
    }
    page.line("drill explain TOPIC", 0);
    print(page.text());
}

}  // namespace

int explain(const Globals& globals, const std::string& word) {
    const std::vector<Topic> topics =
        manual({fault_kinds(), probe_kinds(), fault_pages(), probe_pages()});
    if (word.empty()) {
        list(globals, topics);
        return exit_ok;
    }
    const std::vector<const Topic*> found = find_topics(topics, word);
    if (found.empty()) {
        const std::vector<std::string> near = near_topics(topics, word);
        complain("there is no topic `" + word + "`" +
                 (near.empty() ? std::string() : "; near are: " + join(near, ", ")) +
                 ". To see all: drill explain");
        return exit_usage;
    }
    const PageStyle style = page_style(globals);
    for (const Topic* topic : found) {
        Page page(style);
        if (topic != found.front()) { page.blank(); }
        page.line(page.ink(Ink::strong, topic->name) + "  " +
                      page.ink(Ink::dim, std::string("(") + name_of(topic->group) + ")"),
                  0);
        page.blank();
        print(page.text() + render_markdown(topic->text, style));
    }
    return exit_ok;
}

}  // namespace drill::cli
