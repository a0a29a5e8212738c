// What the kinds with a holder refuse before anything is sent, and which options they make of
// parameters. Read next: core/faults/parts/holder.hpp.
#include "faults/parts/holder.hpp"
#include "faults/requests.hpp"

#include <doctest/doctest.h>
#include <algorithm>

using namespace drill;
using namespace drill::test;

namespace {

ChangeRequest with_answer(const char* kind, const std::string& answer) {
    ChangeRequest request = request_for(kind_of(kind), Binding::run);
    request.observed.back().out = answer;
    return request;
}

bool has_option(const Change& change, const std::string& option) {
    const std::vector<std::string>& argv = change.apply.front().argv;
    return std::find(argv.begin(), argv.end(), option) != argv.end();
}

bool refused(const char* kind, const ChangeRequest& request, std::string_view words) {
    const std::string message = refusal_of(kind_of(kind), request);
    CAPTURE(message);
    const bool found = message.find(words) != std::string::npos;
    CHECK(found);
    return found;
}

}  // namespace

TEST_CASE("sizes are read with their units, and nothing else is") {
    CHECK(faults::parse_size("4096") == 4096);
    CHECK(faults::parse_size("64MiB") == 64 * 1048576);
    CHECK(faults::parse_size(" 1.5 GiB ") == 1610612736);
    CHECK(faults::parse_size("2GB") == 2'000'000'000);
    for (const char* bad :
         {"", "MiB", "-1", "1.2.3", "5 XB", "1e3", ".5GiB", "5.", "99999999TiB"}) {
        CAPTURE(bad);
        CHECK_FALSE(faults::parse_size(bad).has_value());
    }
    CHECK(faults::show_size(1610612736) == "1.5 GiB");
    CHECK(faults::show_size(700) == "700 B");
}

TEST_CASE("another machine, noexec, and no answer are refused with the reason") {
    for (const char* kind :
         {"cpu", "memory", "disk-fill", "inode-fill", "fd-exhaust", "pid-exhaust"}) {
        CAPTURE(kind);
        refused(kind, with_answer(kind, "machine aarch64\nend\n"),
                "app-1 is a aarch64 machine; the holder is made for x86_64 only");
        refused(kind, with_answer(kind, "machine x86_64\nnoexec /var\nend\n"),
                "/var is mounted noexec; mount -o remount,exec /var");
        refused(kind, with_answer(kind, "machine x86_64\n"), "could not be asked");
    }
}

TEST_CASE("a file system with logs or leases is refused until each path is named") {
    for (const char* kind : {"disk-fill", "inode-fill"}) {
        CAPTURE(kind);
        ChangeRequest request = with_answer(
            kind, "machine x86_64\nmount /\ntype ext4\nkept /var/log\nkept /var/lib/drill\nend\n");
        refused(kind, request, "allow = [\"/var/log\", \"/var/lib/drill\"]");
        request.params["allow"] = std::vector<std::string>{"/var/log"};
        refused(kind, request, "allow = [\"/var/lib/drill\"]");
        request.params["allow"] = std::vector<std::string>{"/var/log", "/var/lib/drill"};
        CHECK(bool(kind_of(kind).compose(request)));
    }
}

TEST_CASE("paths that are relative, climb, are none, or are not local are refused") {
    ChangeRequest request = request_for(kind_of("disk-fill"), Binding::run);
    for (const char* path : {"", "srv", "/srv/../etc", "/a\nb"}) {
        CAPTURE(path);
        request.params["path"] = std::string(path);
        refused("disk-fill", request, "absolute path");
    }
    refused("disk-fill", with_answer("disk-fill", "machine x86_64\nend\n"), "is no directory");
    refused("disk-fill", with_answer("disk-fill", "machine x86_64\nmount /n\ntype nfs4\nend\n"),
            "of type nfs4");
}

TEST_CASE("one of percent and size is given, never both, and both are sizes") {
    for (const char* kind : {"disk-fill", "memory"}) {
        CAPTURE(kind);
        ChangeRequest request = request_for(kind_of(kind), Binding::run);
        request.params["size"] = std::string("1GiB");
        refused(kind, request, "give one of `percent` and `size`");
        request.params.erase("percent");
        const Result<Change> change = kind_of(kind).compose(request);
        REQUIRE(bool(change));
        CHECK(has_option(*change, "size=1073741824"));
        request.params["size"] = std::string("much");
        refused(kind, request, "`size` is a size");
        request.params["size"] = std::string("1GiB");
        request.params["leave"] = std::string("some");
        refused(kind, request, "`leave` is a size");
        request.params.erase("size");
        refused(kind, request, "give one of `percent` and `size`");
    }
    ChangeRequest inodes = request_for(kind_of("inode-fill"), Binding::run);
    inodes.params["take"] = std::int64_t{5};
    refused("inode-fill", inodes, "give one of `percent` and `take`");
}

TEST_CASE("cores are a number or a share of those online") {
    ChangeRequest request = request_for(kind_of("cpu"), Binding::run);
    for (const auto& [text, option] : {std::pair{"50%", "cores=2"}, std::pair{"7", "cores=7"},
                                       std::pair{"1%", "cores=1"}, std::pair{"100%", "cores=4"}}) {
        request.params["cores"] = std::string(text);
        const Result<Change> change = kind_of("cpu").compose(request);
        REQUIRE(bool(change));
        CHECK(has_option(*change, option));
    }
    for (const char* bad : {"", "0", "-1", "513", "some", "99999"}) {
        CAPTURE(bad);
        request.params["cores"] = std::string(bad);
        refused("cpu", request, "`cores` is a number");
    }
}

TEST_CASE("a cgroup that the way in needs, or that is not there, is refused") {
    ChangeRequest request = request_for(kind_of("pid-exhaust"), Binding::run);
    request.observed.back().out =
        "machine x86_64\ncgroup /sys/fs/cgroup/system.slice/orders.service\nuser sshd\nend\n";
    refused("pid-exhaust", request, "holds sshd: the way in and the undo depend on it");
    request.observed.back().out = "machine x86_64\nend\n";
    refused("pid-exhaust", request, "there is no cgroup");
    for (const char* bad : {"/", "/system.slice", "a/../..", "a/"}) {
        CAPTURE(bad);
        request.params["cgroup"] = std::string(bad);
        refused("pid-exhaust", request, "`cgroup` is a path below /sys/fs/cgroup");
    }
}

TEST_CASE("pid-exhaust has one scope, keeps a rest, and spares who logs in") {
    ChangeRequest request = request_for(kind_of("pid-exhaust"), Binding::run);
    request.params["host"] = true;
    refused("pid-exhaust", request, "one of `cgroup`, `user`, host = true");
    request.params["cgroup"] = std::string();
    CHECK(bool(kind_of("pid-exhaust").compose(request)));
    request.params["leave"] = std::int64_t{100};
    refused("pid-exhaust", request, "at least 512");
    request.params.erase("leave");
    request.params["host"] = false;
    request.params["user"] = std::string("orders");
    refused("pid-exhaust", request, "no user orders");
    request.observed.back().out = "machine x86_64\nuid 1000\nlogin 1000\nend\n";
    refused("pid-exhaust", request, "logs in on app-1");
    request.observed.back().out = "machine x86_64\nuid 33\nlogin 1000\nend\n";
    refused("pid-exhaust", request, "needs `take`");
    request.params["take"] = std::int64_t{20};
    const Result<Change> change = kind_of("pid-exhaust").compose(request);
    REQUIRE(bool(change));
    CHECK(has_option(*change, "uid=33"));
}

TEST_CASE("fd-exhaust is of processes or of the host, which is spelled and keeps a rest") {
    ChangeRequest request = request_for(kind_of("fd-exhaust"), Binding::run);
    request.params["take"] = std::int64_t{5};
    refused("fd-exhaust", request, "`take` is for the host");
    request.params["host"] = true;
    refused("fd-exhaust", request, "say whose open files");
    request.params["process"] = std::string();
    CHECK(bool(kind_of("fd-exhaust").compose(request)));
    request.params["leave"] = std::int64_t{10};
    refused("fd-exhaust", request, "at least 4096");
    request.params["host"] = false;
    refused("fd-exhaust", request, "say whose open files");
}
