// Secrets in memory. Read next: transport/redact.hpp.
#include "transport/redact.hpp"

#include <doctest/doctest.h>

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sstream>

using namespace drill;

TEST_CASE("a secret prints as stars") {
    const Secret secret(std::string_view("hunter2"));
    std::ostringstream out;
    out << secret;
    CHECK(out.str() == "***");
    CHECK(to_string(secret) == "***");
    CHECK(secret.reveal() == "hunter2");
}

TEST_CASE("taking over a text leaves none of it in the source") {
    std::string source = "a secret that is too long for the small buffer";
    const char* bytes = source.data();
    const Secret secret(std::move(source));
    CHECK(bytes[0] == '\0');  // the source keeps its memory, zeroed
    CHECK(secret.reveal().size() == 46);
}

TEST_CASE("a moved secret leaves nothing behind, short ones too") {
    Secret first(std::string_view("short"));
    const char* bytes = first.reveal().data();
    const Secret second(std::move(first));
    CHECK(bytes[0] == '\0');
    CHECK(second.reveal() == "short");
}

TEST_CASE("replacing a secret wipes the old one") {
    Secret one(std::string_view("old value"));
    Secret two(std::string_view("new"));
    one = std::move(two);
    CHECK(one.reveal() == "new");
    CHECK(two.empty());  // NOLINT: a moved-from Secret is empty by contract
}

TEST_CASE("after forbid_core_dumps the process is not dumpable") {
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const bool done = static_cast<bool>(forbid_core_dumps());
        ::_exit(done && ::prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0 ? 0 : 1);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
}
