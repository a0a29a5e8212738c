// See ground.hpp: the text.
#include "report/ground.hpp"

#include "base/text.hpp"

#include <algorithm>

namespace drill {

namespace {

constexpr std::size_t label_column = 15;

bool ready(const HostGround& host) {
    return host.answered &&
           std::none_of(host.remarks.begin(), host.remarks.end(),
                        [](const Remark& one) { return one.concern == Concern::trouble; });
}

Mark mark_of(Concern concern) {
    switch (concern) {
        case Concern::good: return Mark::good;
        case Concern::note: return Mark::dot;
        case Concern::doubt: return Mark::doubt;
        case Concern::trouble: return Mark::bad;
    }
    return Mark::doubt;
}

void remark(Page& page, const Remark& one) {
    page.field(page.mark(mark_of(one.concern)) + " " + one.topic, one.says, 2, label_column);
    if (!one.fix.empty() && one.concern != Concern::good) {
        page.field("", "-> " + one.fix, 2, label_column);
    }
}

std::string way_of(const HostGround& host) {
    if (host.way.empty()) { return "none: commands run on this machine"; }
    std::string says;
    for (const Hop& hop : host.way) {
        says += (says.empty() ? "" : ", then ") + safe(hop.host) + " connects in " +
                show_duration(hop.connected) + ", login " + show_duration(hop.logged_in);
        // The host's own method stands in its login line.
        if (&hop != &host.way.back() && !hop.method.empty()) { says += " by " + safe(hop.method); }
    }
    return says + "; an answer takes " + show_duration(host.answer);
}

void kinds(Page& page, const HostGround& host, Depth depth) {
    std::vector<std::string> possible;
    for (const KindGround& kind : host.kinds) {
        if (kind.possible == Possible::yes) { possible.push_back(kind.kind); }
    }
    if (depth == Depth::full || possible.size() < host.kinds.size()) {
        page.field(page.mark(possible.empty() ? Mark::bad : Mark::good) + " kinds",
                   possible.empty() ? "none is possible" : join(possible, ", "), 2, label_column);
    }
    for (const KindGround& kind : host.kinds) {
        if (kind.possible == Possible::yes) { continue; }
        for (const Lack& lack : kind.lacks) {
            page.field(
                page.mark(kind.possible == Possible::no ? Mark::bad : Mark::doubt) + " kinds",
                kind.kind + ": " + lack.says, 2, label_column);
            if (!lack.fix.empty()) { page.field("", "-> " + lack.fix, 2, label_column); }
        }
    }
}

void one_host(Page& page, const HostGround& host, Depth depth) {
    const bool good = ready(host);
    std::string head =
        page.mark(good ? Mark::good : Mark::bad) + " " + page.ink(Ink::strong, safe(host.host));
    if (!host.address.empty()) { head += "  " + safe(host.address); }
    head += good ? "  can be used" : host.answered ? "  CANNOT BE USED YET" : "  NO ANSWER";
    if (good && depth == Depth::brief && !host.way.empty()) {
        head += "  " + show_duration(host.way.back().connected);
    }
    page.line(head);
    if (!host.answered) {
        for (const Remark& one : host.remarks) {
            page.line("    " + one.says, 4);
            if (!one.fix.empty()) { page.line("    -> " + one.fix, 7); }
        }
        return;
    }
    if (depth == Depth::full) {
        page.field(page.mark(Mark::good) + " way", way_of(host), 2, label_column);
    }
    for (const Remark& one : host.remarks) {
        const bool shown = depth == Depth::full || one.concern == Concern::trouble ||
                           one.concern == Concern::doubt;
        if (shown) { remark(page, one); }
    }
    kinds(page, host, depth);
}

}  // namespace

std::string render_ground(const GroundInventory& inventory, Depth depth, PageStyle style) {
    Page page(style);
    std::size_t good = 0;
    for (const HostGround& host : inventory.hosts) {
        one_host(page, host, depth);
        if (depth == Depth::full) { page.blank(); }
        good += ready(host) ? 1U : 0U;
    }
    if (!inventory.controller.empty()) {
        page.line("controller");
        for (const Remark& one : inventory.controller) { remark(page, one); }
    }
    if (depth == Depth::brief || !inventory.controller.empty()) { page.blank(); }
    page.line(std::to_string(good) + " of " + counted(inventory.hosts.size(), "host") +
              " can be used.  " + inventory.read_only);
    if (good > 0) { page.verbatim("  drill plan experiments/hello.toml"); }
    if (depth == Depth::brief) { page.verbatim("  drill doctor HOST    everything of one host"); }
    return page.text();
}

}  // namespace drill
