// What the loader asks the file system, on real files in a directory of the test's own.
#include "config/codes.hpp"
#include "samples.hpp"

#include <doctest/doctest.h>

#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

using namespace drill;
using namespace drill::test;
namespace fs = std::filesystem;

namespace {

/// An empty directory that only its owner may write; removed at the end.
class Directory {
public:
    Directory() {
        std::string name = (fs::temp_directory_path() / "drill-config-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path_ = name;
    }
    Directory(const Directory&) = delete;
    Directory& operator=(const Directory&) = delete;
    ~Directory() {
        std::error_code ignored;
        fs::remove_all(path_, ignored);
    }
    [[nodiscard]] std::string at(const std::string& name) const { return (path_ / name).string(); }
    std::string write(const std::string& name, const std::string& text, mode_t mode = 0600) const {
        fs::create_directories(fs::path(at(name)).parent_path());
        std::ofstream(at(name)) << text;
        REQUIRE(::chmod(at(name).c_str(), mode) == 0);
        return at(name);
    }
    [[nodiscard]] std::string path() const { return path_.string(); }

private:
    fs::path path_;
};

/// Sets a variable for the life of the object; null takes it away.
class Variable {
public:
    Variable(const char* name, const char* value) : name_(name) {
        const char* old = std::getenv(name);
        if (old != nullptr) { old_ = old; }
        had_ = old != nullptr;
        set(value);
    }
    Variable(const Variable&) = delete;
    Variable& operator=(const Variable&) = delete;
    ~Variable() { set(had_ ? old_.c_str() : nullptr); }

private:
    void set(const char* value) const {
        if (value == nullptr) {
            ::unsetenv(name_);
        } else {
            ::setenv(name_, value, 1);
        }
    }
    const char* name_;
    std::string old_;
    bool had_{false};
};

}  // namespace

TEST_CASE("the sample catalog loads from a directory that only its owner may write") {
    const Directory dir;
    dir.write("lab/id_ed25519", "key");
    const LoadedCatalog loaded = load_catalog(dir.write("drill.toml", sample_catalog));
    CHECK_MESSAGE(loaded.diagnostics.empty(), shown(loaded.diagnostics, sample_catalog));
    CHECK(loaded.catalog.hosts[0].connection.key_file == dir.at("lab/id_ed25519"));
    CHECK(loaded.catalog.hosts[0].connection.known_hosts == dir.at("known_hosts"));
}

TEST_CASE("a catalog that others could change is refused with the fix") {
    const Directory dir;
    dir.write("lab/id_ed25519", "key");
    const std::string path = dir.write("drill.toml", sample_catalog);
    SUBCASE("group-writable file") {
        REQUIRE(::chmod(path.c_str(), 0664) == 0);
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == codes::unsafe_catalog);
        CHECK(found[0].summary.find("group-writable (mode 664)") != std::string::npos);
        CHECK(found[0].help == "chmod go-w " + path);
    }
    SUBCASE("world-writable directory") {
        REQUIRE(::chmod(dir.path().c_str(), 0777) == 0);
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].help == "chmod go-w " + dir.path());
    }
    SUBCASE("both: one error, one fix") {
        REQUIRE(::chmod(path.c_str(), 0666) == 0);
        REQUIRE(::chmod(dir.path().c_str(), 0777) == 0);
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].help == "chmod go-w " + path + " " + dir.path());
    }
    SUBCASE("a link in a safe place to a file in an unsafe one") {
        const Directory safe;
        fs::create_symlink(path, safe.at("drill.toml"));
        REQUIRE(::chmod(dir.path().c_str(), 0777) == 0);
        CHECK(load_catalog(safe.at("drill.toml")).diagnostics.at(0).code == codes::unsafe_catalog);
    }
    SUBCASE("somebody else's file") {
        if (::geteuid() != 0) {
            MESSAGE("skipped: only root can give a file away");
            return;
        }
        REQUIRE(::chown(path.c_str(), 65534, 65534) == 0);
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].summary.find("belongs to uid 65534") != std::string::npos);
        CHECK(found[0].help.find("chown") != std::string::npos);
    }
}

TEST_CASE("a refused catalog gives nothing to work with") {
    const Directory dir;
    const std::string path = dir.write("drill.toml", sample_catalog, 0666);
    CHECK(load_catalog(path).catalog.hosts.empty());
}

TEST_CASE("a key file must be there and private") {
    const Directory dir;
    const std::string path = dir.write("drill.toml", sample_catalog);
    SUBCASE("missing") {
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == codes::missing_key_file);
        CHECK(found[0].place == Place{path, 11, 20, 16});
        CHECK(found[0].summary.find(dir.at("lab/id_ed25519")) != std::string::npos);
    }
    SUBCASE("readable by others") {
        dir.write("lab/id_ed25519", "key", 0644);
        const Diagnostics found = load_catalog(path).diagnostics;
        REQUIRE(found.size() == 1);
        CHECK(found[0].code == codes::unsafe_key_file);
        CHECK(found[0].help == "chmod 600 " + dir.at("lab/id_ed25519"));
    }
    SUBCASE("a directory") {
        fs::create_directories(dir.at("lab/id_ed25519"));
        CHECK(load_catalog(path).diagnostics.at(0).code == codes::missing_key_file);
    }
}

TEST_CASE("a tilde is the home directory") {
    const Directory dir;
    const Variable home("HOME", "/home/kim");
    const std::string text = with(sample_catalog, "lab/id_ed25519", "~/.ssh/id");
    CHECK(parse_catalog(text, dir.at("drill.toml")).catalog.hosts[0].connection.key_file ==
          "/home/kim/.ssh/id");
}

TEST_CASE("what is no readable file is one error") {
    const Directory dir;
    SUBCASE("missing") {
        const LoadedExperiment loaded = load_experiment(dir.at("x"), kinds, probe_kinds, nullptr);
        REQUIRE(loaded.diagnostics.size() == 1);
        CHECK(loaded.diagnostics[0].code == codes::unreadable);
        CHECK(loaded.diagnostics[0].place.file == dir.at("x"));
    }
    SUBCASE("a directory") {
        CHECK(load_catalog(dir.path()).diagnostics.at(0).code == codes::unreadable);
    }
    SUBCASE("a FIFO does not block") {
        REQUIRE(::mkfifo(dir.at("fifo").c_str(), 0600) == 0);
        CHECK(load_catalog(dir.at("fifo")).diagnostics.at(0).code == codes::unreadable);
    }
    SUBCASE("too large") {
        const std::string path = dir.write("big", std::string((1U << 20U) + 1, '\n'));
        CHECK(load_experiment(path, kinds, probe_kinds, nullptr).diagnostics.at(0).code ==
              codes::too_large);
    }
}

TEST_CASE("an experiment loads from its file") {
    const Directory dir;
    const std::string path = dir.write("two.toml", sample_experiment, 0644);
    const LoadedExperiment loaded = load_experiment(path, kinds, probe_kinds, nullptr);
    CHECK(loaded.diagnostics.empty());
    CHECK(loaded.experiment.file == path);
}

TEST_CASE("the catalog is found by flag, variable, or upward") {
    const Directory dir;
    const Variable none("DRILL_CONFIG", nullptr);
    const Variable home("HOME", dir.path().c_str());
    const std::string top = dir.write("drill.toml", sample_catalog);
    fs::create_directories(dir.at("a/b"));
    SUBCASE("upward from where one stands") { CHECK(*find_catalog("", dir.at("a/b")) == top); }
    SUBCASE("the nearest wins") {
        const std::string near = dir.write("a/drill.toml", sample_catalog);
        CHECK(*find_catalog("", dir.at("a/b/")) == near);
    }
    SUBCASE("a repository root ends the look-up") {
        fs::create_directories(dir.at("a/.git"));
        const Result<std::string> found = find_catalog("", dir.at("a/b"));
        REQUIRE_FALSE(found);
        CHECK(found.error().code == Code::not_found);
        CHECK(found.error().message.find(dir.at("a/b")) != std::string::npos);
    }
    SUBCASE("a repository root may hold it") {
        fs::create_directories(dir.at(".git"));
        CHECK(*find_catalog("", dir.at("a/b")) == top);
    }
    SUBCASE("the home directory ends the look-up") {
        const Variable nearer("HOME", dir.at("a").c_str());
        CHECK_FALSE(find_catalog("", dir.at("a/b")));
    }
    SUBCASE("the variable goes before the look-up") {
        const std::string other = dir.write("other.toml", sample_catalog);
        const Variable named("DRILL_CONFIG", other.c_str());
        CHECK(*find_catalog("", dir.at("a/b")) == other);
    }
    SUBCASE("the flag goes before the variable") {
        const Variable named("DRILL_CONFIG", "/nowhere");
        CHECK(*find_catalog(top, dir.at("a/b")) == top);
    }
    SUBCASE("what is named must be there") {
        const Result<std::string> by_flag = find_catalog(dir.at("no"), dir.path());
        REQUIRE_FALSE(by_flag);
        CHECK(by_flag.error().message.find("--config") != std::string::npos);
        const Variable named("DRILL_CONFIG", "/nowhere");
        const Result<std::string> by_variable = find_catalog("", dir.path());
        REQUIRE_FALSE(by_variable);
        CHECK(by_variable.error().message.find("DRILL_CONFIG") != std::string::npos);
    }
}
