// A kind is a pure function: parameters, peers and observed facts in, the whole change out.
// Must not: do I/O, read a clock, draw random numbers.
#pragma once

#include "base/result.hpp"
#include "model/change.hpp"
#include "model/host.hpp"
#include "model/param.hpp"

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace drill {

/// plan: volatile facts (pids, lease id) stand as "{pid}", "{lease}"; run: they are bound.
enum class Binding : std::uint8_t { plan, run };

struct ChangeRequest {
    Binding binding{Binding::run};
    std::string host;
    std::string lease;      ///< "{lease}" at plan time
    std::string directory;  ///< the lease directory on the target
    Nanos ttl{0};           ///< of one lease period
    Nanos longest{0};
    Values params;                       ///< complete: defaults are filled in
    std::vector<Peer> peers;             ///< of the selection parameter named by Kind::peers_param
    Facts facts;                         ///< of the target (plan/facts.hpp)
    std::vector<CommandReply> observed;  ///< answers to observe(), same order
};

struct Kind {
    std::string_view name;     ///< "net-partition", as in TOML
    std::string_view summary;  ///< one sentence
    Ending ending{Ending::watcher};
    std::string_view peers_param;  ///< selection parameter whose hosts become peers, "" = none
    /// Choice parameter that cuts the hosts of the step's target off from one another instead of
    /// from `peers_param`, "" = none. Its values: plan/shape.hpp.
    std::string_view shape_param{};
    std::string_view needs;  ///< tools on the target, blank-separated: "nft ip"
    std::span<const Param> params;
    std::vector<Exec> (*observe)(const ChangeRequest&){
        nullptr};  ///< read-only questions, may be empty
    Result<Change> (*compose)(const ChangeRequest&){
        nullptr};  ///< Code::refused: the plan is not runnable, message says why
    /// One line for people: "drop all traffic from bal-1 (2 addresses), both directions".
    std::string (*describe)(const ChangeRequest&){nullptr};
    /// Kills, cuts the power or takes what files need: what a stateful service keeps there may be
    /// hurt by it, and a run that does not look says so.
    bool harms_data{false};
};

/// All kinds, sorted by name. Made by drill_kinds in the top CMakeLists.txt.
using Kinds = std::span<const Kind* const>;
[[nodiscard]] inline const Kind* find_kind(Kinds kinds, std::string_view name) {
    for (const Kind* kind : kinds) {
        if (kind->name == name) { return kind; }
    }
    return nullptr;
}

}  // namespace drill
