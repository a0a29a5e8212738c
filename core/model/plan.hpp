// The plan: everything resolved and frozen. Its hash is what people approve, what `run`
// executes and what an audit carries. Made by plan/planner.hpp, written as sorted-key JSON.
#pragma once

#include "model/change.hpp"
#include "model/definition.hpp"
#include "model/host.hpp"

#include <map>
#include <string>
#include <vector>

namespace drill {

struct PlannedHost {
    Connection connection;
    std::map<std::string, std::string> labels;
    Facts identity;  ///< hashed; a difference at run is REFUSED with a diff
    friend bool operator==(const PlannedHost&, const PlannedHost&) = default;
};

struct PlannedChange {
    std::string host;
    std::string says;  ///< Kind::describe
    std::vector<Peer> peers;
    Change change;          ///< with placeholders
    std::string data_of{};  ///< the stateful service whose data this may hurt, "" = none
    friend bool operator==(const PlannedChange&, const PlannedChange&) = default;
};

struct PlannedStep {
    std::string name;
    std::string kind;
    std::string target;  ///< name of the target group
    Values params;
    Nanos hold{0};
    std::vector<After> after;  ///< resolved: never "file order"
    bool cuts_control{false};
    std::vector<PlannedChange> changes;  ///< one per host
    OnPartial on_partial{OnPartial::undo};
    friend bool operator==(const PlannedStep&, const PlannedStep&) = default;
};

struct Plan {
    std::string drill_version;
    std::string experiment, title, service;
    std::string definition_sha256, catalog_sha256;
    std::string environment, environment_class, contact;
    std::uint64_t seed{0};
    std::optional<Nanos> rto, rpo;
    std::string rto_from;            ///< "experiment", "service orders" or ""
    std::int64_t limit_hosts{0};     ///< most hosts changed at one time, after `share`
    std::string limit_says;          ///< "at most 1 of 2 hosts (50 % of role=orders-app)"
    std::vector<std::string> group;  ///< hosts that `share` counts over
    Nanos longest{0}, lease_ttl{0};
    std::vector<ProbeSpec> probes;
    std::vector<HypothesisSpec> hypotheses;
    std::vector<HaltSpec> halts;
    std::vector<PlannedStep> steps;
    std::map<std::string, PlannedHost> hosts;  ///< targets, peers and vantage points
    std::string hash;                          ///< SHA-256 over the JSON without this member
    friend bool operator==(const Plan&, const Plan&) = default;
};

}  // namespace drill
