// One change on the target of the shared fabric, from its questions to its undo, and the ways that
// traffic takes. For tests of network kinds; each program that includes it has one fabric.
// Must not: judge a kind. Next: net_real_test.cpp, fabric.hpp.
#pragma once

#include "faults/fabric.hpp"
#include "faults/requests.hpp"
#include "faults/runner.hpp"

#include <doctest/doctest.h>
#include <string>
#include <thread>
#include <vector>

namespace drill::test {

inline const Fabric& fabric() {
    static const Fabric made;
    return made;
}

inline bool skipped() {
    if (fabric().usable()) { return false; }
    MESSAGE("skipped: " << fabric().why());
    return true;
}

inline std::string address_of(const char* node, int family) {
    return Fabric::address(node, family);
}

/// One change on the target, from its questions to its undo.
class Fault {
public:
    explicit Fault(std::string kind, const std::string& shell = "dash")
        : kind_(kind_of(kind)), place{shell, make_directory(), fabric().netns("t")} {
        request = request_for(kind_, Binding::run);
        request.directory = place.directory;
        request.host = "t";
        request.facts["ssh_client"] = address_of("c", 4);
        request.facts["identity_services"] = "";
        request.facts["addresses"] = address_of("t", 4) + " " + address_of("t", 6) + " 172.30.0.1";
        request.params["direction"] = std::string("both");
        request.peers = {{"p", {address_of("p", 4), address_of("p", 6)}}};
        request.ttl = std::chrono::minutes{10};  // a virtual machine may be slow
    }
    Fault(const Fault&) = delete;
    Fault& operator=(const Fault&) = delete;
    ~Fault() {
        for (const Exec& exec : change.undo) {
            const CommandReply ignored = run(exec, place);
            static_cast<void>(ignored);
        }
        remove_directory(place.directory);
    }
    void compose() {
        request.observed = run_all(kind_.observe(request), place);
        Result<Change> made = kind_.compose(request);
        if (!made) { MESSAGE(made.error().message); }
        REQUIRE(bool(made));
        change = *std::move(made);
    }
    void apply() {
        compose();
        REQUIRE(status_of(change.apply, place) == 0);
    }
    [[nodiscard]] int undo() const { return status_of(change.undo, place); }
    [[nodiscard]] Presence seen() const { return presence(change, place); }
    [[nodiscard]] CommandReply nft(std::vector<std::string> words) const {
        words.insert(words.begin(), "nft");
        return run({words, ""}, place);
    }
    [[nodiscard]] std::string said() const { return run(change.read_back.front(), place).out; }

    ChangeRequest request;
    Change change;

private:
    const Kind& kind_;

public:
    Place place;
};

struct Way {
    const char* name;
    const char* from;
    std::string to;
    int port;
};

inline void check_all(const std::vector<Way>& ways, bool works) {
    std::vector<int> got(ways.size());
    std::vector<std::thread> asking;
    for (std::size_t i = 0; i < ways.size(); ++i) {
        asking.emplace_back(
            [&, i] { got[i] = fabric().tcp(ways[i].from, ways[i].to, ways[i].port) ? 1 : 0; });
    }
    for (std::thread& one : asking) { one.join(); }
    for (std::size_t i = 0; i < ways.size(); ++i) {
        CAPTURE(ways[i].name);
        CHECK(got[i] == (works ? 1 : 0));
    }
}

}  // namespace drill::test
