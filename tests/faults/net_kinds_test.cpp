// net-port, net-reject, dns-fail and the kinds with a queue: what is refused, and what is composed.
#include "faults/requests.hpp"

#include <doctest/doctest.h>

using namespace drill;
using namespace drill::test;

namespace {

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

ChangeRequest request(std::string_view kind) { return request_for(kind_of(kind), Binding::run); }

std::string refusal(std::string_view kind, const ChangeRequest& of) {
    return refusal_of(kind_of(kind), of);
}

std::string composed(std::string_view kind, const ChangeRequest& of) {
    const Result<Change> change = kind_of(kind).compose(of);
    REQUIRE(bool(change));
    return text_of_change(*change);
}

}  // namespace

TEST_CASE("a cut of ports needs a port, and a device where it goes out") {
    const Kind& port = kind_of("net-port");
    ChangeRequest none = request_for(port, Binding::run);
    none.params["ports"] = std::vector<std::string>{};
    CHECK(has(refusal_of(port, none), "names no port"));
    ChangeRequest bare = request_for(port, Binding::run);
    bare.params["direction"] = std::string("out");
    bare.observed = {{0, "device docker0\n", ""}};
    CHECK(has(refusal_of(port, bare), "no network device of app-1 has an address"));
    bare.params["direction"] = std::string("in");
    CHECK(refusal_of(port, bare).empty());
}

TEST_CASE("an answer that is none is refused") {
    for (const char* kind : {"net-reject", "net-port"}) {
        ChangeRequest odd = request_for(kind_of(kind), Binding::run);
        odd.params["answer"] = std::string("drop table");
        CHECK(has(refusal_of(kind_of(kind), odd), "`answer` is none of"));
    }
}

TEST_CASE("a kernel without netem is refused with the packages that have it") {
    for (const char* kind : {"net-delay", "net-corrupt", "net-duplicate", "net-reorder"}) {
        CAPTURE(kind);
        ChangeRequest bare = request(kind);
        bare.observed[1].out = "has prio\nlacks netem\nqdisc mq 0: dev eth0 root \n";
        const std::string why = refusal(kind, bare);
        CHECK(has(why, "kernel 6.1.0-26-amd64 of app-1 has no sch_netem"));
        CHECK(has(why, "linux-modules-extra"));
        CHECK(has(why, "kernel-modules-extra"));
    }
}

TEST_CASE("a missing tc, and queues that were not read, are refused") {
    ChangeRequest bare = request("net-delay");
    bare.facts.erase("tool.tc");
    CHECK(refusal("net-delay", bare) == "tc is not installed on app-1; install iproute2 there");
    ChangeRequest unread = request("net-delay");
    unread.observed[1].status = 127;
    CHECK(has(refusal("net-delay", unread), "could not be read"));
    unread.observed.pop_back();
    CHECK(has(refusal("net-delay", unread), "could not be read"));
}

TEST_CASE("a qdisc that somebody set is refused wherever it hangs, ingress is not in the way") {
    for (const char* line : {"qdisc htb 1: dev eth0 root refcnt 2 r2q 10",
                             "qdisc fq 8001: dev eth0 parent :2 limit 10000p",
                             "qdisc netem 1: dev bond0.12 root refcnt 2"}) {
        CAPTURE(line);
        ChangeRequest set = request("net-bandwidth");
        set.observed[1].out += std::string(line) + "\n";
        CHECK(has(refusal("net-bandwidth", set), "has a queue that somebody set"));
    }
    ChangeRequest beside = request("net-bandwidth");
    beside.observed[1].out +=
        "qdisc clsact ffff: dev eth0 parent ffff:fff1 \nqdisc ingress ffff: dev eth0 parent "
        "ffff:fff1 ---------------- \n";
    CHECK(refusal("net-bandwidth", beside).empty());
}

TEST_CASE("a rate that is none, or out of bounds, is refused") {
    for (const char* wrong : {"", "10", "10mb", "mbit", "-5mbit", "7999bit", "7kbit", "101gbit",
                              "1e3kbit", "10mbit; x", "99999999999999999999kbit"}) {
        CAPTURE(wrong);
        ChangeRequest odd = request("net-bandwidth");
        odd.params["rate"] = std::string(wrong);
        CHECK(has(refusal("net-bandwidth", odd), "is no rate"));
    }
    ChangeRequest good = request("net-bandwidth");
    good.params["rate"] = std::string("8kbit");
    CHECK(has(composed("net-bandwidth", good), "htb rate 8000bit burst 3200\n"));
    good.params["rate"] = std::string("100 gbit");
    CHECK(has(composed("net-bandwidth", good), "htb rate 100000000000bit burst 4000000\n"));
}

TEST_CASE("delays and shares reach tc in units that it reads exactly") {
    ChangeRequest delay = request("net-delay");
    CHECK(has(composed("net-delay", delay),
              "netem limit 20000 delay 150000us 20000us distribution normal\n"));
    delay.params["distribution"] = std::string("uniform");
    CHECK(has(composed("net-delay", delay), "delay 150000us 20000us\n"));
    delay.params["jitter"] = Nanos{0};
    CHECK(has(composed("net-delay", delay), "delay 150000us\n"));
    CHECK(has(composed("net-corrupt", request("net-corrupt")), "corrupt 2.5000%\n"));
    CHECK(has(composed("net-duplicate", request("net-duplicate")), "duplicate 2.5000%\n"));
    CHECK(has(composed("net-reorder", request("net-reorder")), "delay 10000us reorder 2.5000%\n"));
}

TEST_CASE("a jitter above the delay, no delay, and shares out of bounds are refused") {
    ChangeRequest wide = request("net-delay");
    wide.params["jitter"] = Nanos{std::chrono::seconds{1}};
    CHECK(has(refusal("net-delay", wide), "must not be above `delay`"));
    wide.params["delay"] = Nanos{0};
    CHECK(has(refusal("net-delay", wide), "at least 1 ms"));
    for (const std::string share : {"corrupt", "duplicate", "reorder"}) {
        CAPTURE(share);
        ChangeRequest none = request("net-" + share);
        none.params[share] = Percent{0};
        CHECK(has(refusal("net-" + share, none), "above 0 %"));
    }
    ChangeRequest all = request("net-reorder");
    all.params["reorder"] = Percent{1'000'000};
    CHECK(has(refusal("net-reorder", all), "below 100 %"));
    all.params["reorder"] = Percent{500'000};
    all.params["delay"] = Nanos{0};
    CHECK(has(refusal("net-reorder", all), "at least 1 ms"));
}

TEST_CASE("each device has a handle of its own, made of the lease, and more than 15 are refused") {
    const std::string one = composed("net-delay", request("net-delay"));
    CHECK(has(one, "dev bond0.12 root handle 7831: prio"));
    CHECK(has(one, "dev eth0 root handle 7832: prio"));
    CHECK(has(one, "oifname \"eth0\" meta priority set 7832:2"));
    ChangeRequest other = request("net-delay");
    other.lease = "zyx987wvu654";
    CHECK_FALSE(has(composed("net-delay", other), " 7832:"));
    ChangeRequest many = request("net-delay");
    many.params["addresses"] = std::vector<std::string>{"10.0.0.0/8"};
    for (int i = 0; i < 16; ++i) {
        many.observed[0].out += "device eth" + std::to_string(i) + "\n";
    }
    CHECK(has(refusal("net-delay", many), "more than 15 devices"));
}

TEST_CASE("only what the target sends is queued, our own connection is not") {
    const std::string text = composed("net-delay", request("net-delay"));
    CHECK(has(text, "hook postrouting"));
    CHECK(has(text, "ip daddr 10.77.0.9 tcp sport 22 accept"));
    CHECK_FALSE(has(text, "saddr"));
    CHECK_FALSE(has(text, "netdev"));
    CHECK(
        has(kind_of("net-delay").describe(request("net-delay")),
            "delay by 150 ms, give or take 20 ms, all traffic from app-1 to bal-1 (2 addresses)"));
}

TEST_CASE("questions for names need a kernel that can drop or change them, refusal does not") {
    for (const char* answer : {"none", "nxdomain", "servfail"}) {
        CAPTURE(answer);
        ChangeRequest old = request("dns-fail");
        old.facts["kernel"] = "5.10.0-8-amd64";
        old.params["answer"] = std::string(answer);
        CHECK(has(refusal("dns-fail", old), "use answer = \"refused\""));
        old.params["answer"] = std::string("refused");
        CHECK(refusal("dns-fail", old).empty());
    }
    ChangeRequest odd = request("dns-fail");
    odd.params["answer"] = std::string("maybe");
    CHECK(has(refusal("dns-fail", odd), "`answer` is none of"));
}
