// See ground.hpp: the JSON.
#include "base/text.hpp"
#include "report/ground.hpp"

#include <nlohmann/json.hpp>

namespace drill {

namespace {

using nlohmann::json;

json remark_json(const Remark& one) {
    return {{"concern", name_of(one.concern)},
            {"topic", one.topic},
            {"says", one.says},
            {"fix", one.fix}};
}

json host_json(const HostGround& host) {
    json out{{"host", host.host},
             {"address", host.address},
             {"answered", host.answered},
             {"boot_id", host.boot_id},
             {"answer_ns", host.answer.count()},
             {"way", json::array()},
             {"remarks", json::array()},
             {"kinds", json::array()}};
    bool usable = host.answered;
    for (const Hop& hop : host.way) {
        out["way"].push_back({{"host", hop.host},
                              {"connected_ns", hop.connected.count()},
                              {"logged_in_ns", hop.logged_in.count()},
                              {"method", hop.method}});
    }
    for (const Remark& one : host.remarks) {
        out["remarks"].push_back(remark_json(one));
        usable = usable && one.concern != Concern::trouble;
    }
    for (const KindGround& kind : host.kinds) {
        json lacks = json::array();
        for (const Lack& lack : kind.lacks) {
            lacks.push_back({{"says", lack.says}, {"fix", lack.fix}});
        }
        out["kinds"].push_back(
            {{"kind", kind.kind}, {"possible", name_of(kind.possible)}, {"lacks", lacks}});
    }
    out["usable"] = usable;
    if (host.offset) {
        out["clock"] = {{"low_ns", host.offset->low.count()},
                        {"high_ns", host.offset->high.count()}};
    }
    return out;
}

}  // namespace

std::string ground_to_json(const GroundInventory& inventory) {
    json out{{"drill_doctor", 1}, {"hosts", json::array()}, {"controller", json::array()}};
    for (const HostGround& host : inventory.hosts) { out["hosts"].push_back(host_json(host)); }
    for (const Remark& one : inventory.controller) {
        out["controller"].push_back(remark_json(one));
    }
    return out.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace drill
