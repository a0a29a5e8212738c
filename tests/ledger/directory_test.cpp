// Claims about the directory, the files in it and their versions.
#include "ledger/schema.hpp"
#include "ledger/scratch.hpp"
#include "ledger/state_directory.hpp"

#include <sys/stat.h>
#include <array>

using namespace drill;
using namespace drill::testing;

namespace {

unsigned mode_of(const std::string& path) {
    struct stat there {};
    REQUIRE(stat(path.c_str(), &there) == 0);
    return there.st_mode & 0777U;
}

Result<std::unique_ptr<SqliteLedger>> try_writer(const std::string& directory) {
    return SqliteLedger::open_writer(directory, this_writer("", "run"));
}

std::unique_ptr<Database> database(const std::string& path) {
    auto opened = Database::open(path, Access::write, std::chrono::milliseconds{100});
    REQUIRE(opened);
    return *std::move(opened);
}

}  // namespace

TEST_CASE("directory and files are private whatever the umask") {
    const Scratch scratch;
    const mode_t before = umask(0);
    {
        const auto ledger = try_writer(scratch.path() + "/a/state");
        REQUIRE(ledger);
        REQUIRE((*ledger)->start_run(run_start("aaa1")));
        CHECK(mode_of(scratch.path() + "/a/state/ledger.db-journal") == 0600);
    }
    umask(before);
    CHECK(mode_of(scratch.path() + "/a") == 0700);
    CHECK(mode_of(scratch.path() + "/a/state") == 0700);
    for (const auto& entry : std::filesystem::directory_iterator(scratch.path() + "/a/state")) {
        CAPTURE(entry.path().string());
        CHECK(mode_of(entry.path().string()) == 0600);
    }
}

TEST_CASE("a directory that others can write is refused") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch.state());
    REQUIRE(chmod(scratch.state().c_str(), 0770) == 0);
    CHECK(code_of(try_writer(scratch.state())) == Code::refused);
    CHECK_FALSE(std::filesystem::exists(scratch.file()));
}

TEST_CASE("a path that cannot be a directory is an error") {
    const Scratch scratch;
    spill(scratch.path() + "/file", "x");
    CHECK_FALSE(try_writer(scratch.path() + "/file"));
    CHECK_FALSE(try_writer(scratch.path() + "/file/state"));
    CHECK_FALSE(try_writer(""));
}

TEST_CASE("a ledger that is a symbolic link is refused") {
    const Scratch scratch;
    { const auto ledger = writer(scratch.state()); }
    std::filesystem::rename(scratch.file(), scratch.path() + "/elsewhere");
    std::filesystem::create_symlink(scratch.path() + "/elsewhere", scratch.file());
    CHECK_FALSE(try_writer(scratch.state()));
}

TEST_CASE("network file systems are known by their magic and local ones pass") {
    for (const unsigned long magic :
         {0x6969UL, 0x517bUL, 0xff534d42UL, 0xfe534d42UL, 0x01021997UL, 0x65735546UL, 0x5346414fUL,
          0x00c36400UL, 0x0bd00bd0UL, 0xffffffffff534d42UL}) {
        CAPTURE(magic);
        CHECK(network_file_system(magic) != nullptr);
    }
    for (const unsigned long magic :
         {0xef53UL, 0x01021994UL, 0x58465342UL, 0x9123683eUL, 0x794c7630UL, 0x2fc12fc1UL}) {
        CAPTURE(magic);
        CHECK(network_file_system(magic) == nullptr);
    }
}

TEST_CASE("readers say that there is no ledger yet and make none") {
    const Scratch scratch;
    CHECK(code_of(LedgerReader::open(scratch.state())) == Code::not_found);
    CHECK_FALSE(std::filesystem::exists(scratch.state()));
    std::filesystem::create_directory(scratch.state());
    spill(scratch.file(), "");
    CHECK(code_of(LedgerReader::open(scratch.state())) == Code::not_found);
}

TEST_CASE("a ledger of a newer version is refused by writer and reader and left as it is") {
    const Scratch scratch;
    { const auto ledger = writer(scratch.state()); }
    CHECK(Raw(scratch.file()).run("PRAGMA user_version=99") == "");
    const std::string bytes = slurp(scratch.file());
    const auto ledger = try_writer(scratch.state());
    CHECK(code_of(ledger) == Code::newer);
    CHECK(ledger.error().message.find("install that drill") != std::string::npos);
    CHECK(code_of(LedgerReader::open(scratch.state())) == Code::newer);
    CHECK(slurp(scratch.file()) == bytes);
}

TEST_CASE("a database of somebody else is refused and left as it is") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch.state());
    chmod(scratch.state().c_str(), 0700);
    CHECK(Raw(scratch.file()).run("CREATE TABLE theirs (x)") == "");
    const std::string bytes = slurp(scratch.file());
    CHECK(code_of(try_writer(scratch.state())) == Code::refused);
    CHECK(code_of(LedgerReader::open(scratch.state())) == Code::refused);
    CHECK(slurp(scratch.file()) == bytes);
}

TEST_CASE("a file that is no database is refused and left as it is") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch.state());
    chmod(scratch.state().c_str(), 0700);
    spill(scratch.file(), std::string(8192, 'z'));
    CHECK_FALSE(try_writer(scratch.state()));
    CHECK_FALSE(LedgerReader::open(scratch.state()));
    CHECK(slurp(scratch.file()) == std::string(8192, 'z'));
}

TEST_CASE("a file of version 0 is brought up to date after a backup") {
    const Scratch scratch;
    std::filesystem::create_directory(scratch.state());
    chmod(scratch.state().c_str(), 0700);
    CHECK(Raw(scratch.file())
              .run("PRAGMA application_id=" + std::to_string(application_id) +
                   "; CREATE TABLE old (x); INSERT INTO old VALUES ('kept')") == "");
    CHECK(code_of(LedgerReader::open(scratch.state())) == Code::refused);
    REQUIRE(try_writer(scratch.state()));
    CHECK(Raw(scratch.file()).text("PRAGMA user_version") == "1");
    CHECK(Raw(scratch.file()).text("SELECT x FROM old") == "kept");
    const std::string backup = scratch.file() + ".version-0.backup";
    CHECK(Raw(backup).text("SELECT x FROM old") == "kept");
    CHECK(Raw(backup).text("PRAGMA user_version") == "0");
    CHECK(mode_of(backup) == 0600);
    CHECK(reader(scratch.state()).runs()->empty());
}

TEST_CASE("a fresh ledger needs no backup") {
    const Scratch scratch;
    { const auto ledger = writer(scratch.state()); }
    for (const auto& entry : std::filesystem::directory_iterator(scratch.state())) {
        CHECK(entry.path().extension() != ".backup");
    }
}

TEST_CASE("a migration that fails leaves the last whole version and its backup") {
    const Scratch scratch;
    {
        const auto ledger = writer(scratch.state());
        REQUIRE(ledger->start_run(run_start("aaa1")));
    }
    const std::array steps{migrations().front(),
                           Migration{2, "CREATE TABLE second (x INTEGER) STRICT"},
                           Migration{3, "CREATE TABLE third (x INTEGER) STRICT; SELECT nonsense"}};
    CHECK_FALSE(migrate(*database(scratch.file()), scratch.file(), steps));
    Raw raw(scratch.file());
    CHECK(raw.text("PRAGMA user_version") == "2");
    CHECK(raw.text("SELECT count(*) FROM sqlite_schema WHERE name = 'second'") == "1");
    CHECK(raw.text("SELECT count(*) FROM sqlite_schema WHERE name = 'third'") == "0");
    CHECK(raw.text("SELECT run FROM run") == "aaa1");
    const std::string backup = scratch.file() + ".version-1.backup";
    CHECK(Raw(backup).text("SELECT run FROM run") == "aaa1");
    CHECK(Raw(backup).text("PRAGMA user_version") == "1");
}

TEST_CASE("the ledger says what it is in its header and its settings") {
    const Scratch scratch;
    const auto ledger = writer(scratch.state());
    Raw raw(scratch.file());
    CHECK(raw.text("PRAGMA application_id") == std::to_string(application_id));
    CHECK(raw.text("SELECT id FROM ledger") == ledger->id());
    CHECK(ledger->id().size() == 16);
    const auto db = database(scratch.file());
    CHECK(*db->text("PRAGMA journal_mode") == "truncate");
    CHECK(*db->integer("PRAGMA synchronous") == 3);
    CHECK(*db->integer("PRAGMA foreign_keys") == 1);
    CHECK(*db->integer("PRAGMA trusted_schema") == 0);
    CHECK(*db->integer("PRAGMA cell_size_check") == 1);
    CHECK(*db->integer("PRAGMA secure_delete") == 1);
}
