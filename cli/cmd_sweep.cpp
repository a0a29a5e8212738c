// drill sweep HOST..: finds and removes what carries our name on a host, whoever left it, with or
// without a ledger. Looks again afterwards; exit 0 = nothing is left, 6 = something is.
#include "base/ids.hpp"
#include "base/text.hpp"
#include "cli/session.hpp"
#include "cli/verbs.hpp"
#include "ledger/sqlite_ledger.hpp"
#include "transport/envelope.hpp"

#include <algorithm>

namespace drill::cli {

namespace {

/// One call on one host; the answer, or an error that was shown.
std::optional<Reply> call(Fleet& fleet, const CatalogHost& host, Envelope envelope) {
    envelope.nonce = random_id(nonce_length);
    bool stopped = false;
    std::vector<Ask> asks;
    asks.push_back({.host = host.name, .to = host.connection, .envelope = std::move(envelope)});
    std::vector<AskAnswer> answers = fleet.ask(std::move(asks), stopped);
    if (stopped || answers.empty()) {
        complain(host.name + ": stopped");
        return std::nullopt;
    }
    if (!answers.front().reply) {
        complain(about(host.name, answers.front().reply.error().text()));
        return std::nullopt;
    }
    return *std::move(answers.front().reply);
}

std::optional<std::vector<FoundLease>> look(Fleet& fleet, const CatalogHost& host) {
    Envelope envelope{};
    envelope.phase = Phase::sweep;
    const std::optional<Reply> reply = call(fleet, host, std::move(envelope));
    if (!reply || reply->parts.empty()) { return std::nullopt; }
    return parse_sweep(reply->parts.front().out);
}

std::string describe(const FoundLease& found) {
    std::string text = found.lease + (found.kind.empty() ? "" : "  " + found.kind);
    if (found.guard_alive) { text += "  guard armed"; }
    if (found.fired) { text += "  its dead man has fired"; }
    for (const std::string& table : found.tables) { text += "  table " + table; }
    for (const std::string& unit : found.units) { text += "  unit " + unit; }
    if (!found.label.empty()) { text += "  (" + found.label + ")"; }
    return escape_control(text, Lines::one);
}

bool remove(Fleet& fleet, const CatalogHost& host, const FoundLease& found) {
    if (!is_lease_id(found.lease)) {
        complain(host.name + ": " + found.lease + " is not a lease of ours; it stays");
        return false;
    }
    Envelope end{};
    end.phase = Phase::ask;
    if (!found.directory.empty() && found.applied) {
        end.commands.push_back({.argv = {"sh", found.directory + "/undo"}, .input = ""});
    }
    for (const std::string& table : found.tables) {
        const std::vector<std::string> words = split(table, ' ');
        if (words.size() == 2) {
            end.commands.push_back(
                {.argv = {"nft", "delete", "table", words[0], words[1]}, .input = ""});
        }
    }
    if (!end.commands.empty() && !call(fleet, host, std::move(end))) { return false; }
    Envelope disarm{};
    disarm.phase = Phase::disarm;
    disarm.lease = found.lease;
    disarm.kind = found.kind;
    disarm.durable = found.directory.starts_with("/var/lib/");
    return call(fleet, host, std::move(disarm)).has_value();
}

/// The programs that kinds with a holder have left for the next drill. True when there were any.
bool remove_programs(Fleet& fleet, const CatalogHost& host) {
    static constexpr std::string_view text =
        "[ -d \"$1\" ] || exit 1\nrm -rf -- \"$1\"\nrmdir -- \"${1%/*}\" 2>/dev/null\n[ ! -e "
        "\"$1\" ]";
    Envelope ask{};
    ask.phase = Phase::ask;
    ask.commands = {{.argv = {"sh", "-c", std::string(text), "drill-sweep", "/var/lib/drill/bin"},
                     .input = ""}};
    const std::optional<Reply> reply = call(fleet, host, std::move(ask));
    return reply && !reply->parts.empty() && reply->parts.front().status == 0;
}

int sweep_one(Fleet& fleet, const CatalogHost& host) {
    const auto before = look(fleet, host);
    if (!before) {
        progress("Nothing was touched; what is left on " + host.name +
                 " is not known. When it answers again: drill sweep " + shell_quote(host.name));
        return exit_dirty;
    }
    if (before->empty()) {
        print(host.name + (remove_programs(fleet, host)
                               ? ": no lease, the holder program is removed\n"
                               : ": nothing of drill\n"));
        return exit_ok;
    }
    for (const FoundLease& found : *before) {
        print(host.name + ": found " + describe(found) + "\n");
        (void)remove(fleet, host, found);
    }
    const auto after = look(fleet, host);
    if (!after) {
        progress("It is not known what is still there; look again: drill sweep " +
                 shell_quote(host.name));
        return exit_dirty;
    }
    for (const FoundLease& left : *after) {
        print(host.name + ": STILL THERE " + describe(left) + "\n");
    }
    if (!after->empty()) {
        progress("What is still there has to be removed on " + host.name +
                 " itself; look again: drill sweep " + shell_quote(host.name));
        return exit_dirty;
    }
    (void)remove_programs(fleet, host);
    print(host.name + ": removed, nothing of drill is left\n");
    return exit_ok;
}

}  // namespace

int sweep(const Globals& globals, const std::vector<std::string>& hosts) {
    Signals signals;
    const std::optional<Catalog> catalog = open_catalog(globals);
    if (!catalog) { return exit_usage; }
    Fleet fleet;
    signals.listen(fleet.mailbox, {});
    int exit = exit_ok;
    for (const std::string& name : hosts) {
        const CatalogHost* host = find_host(*catalog, name);
        if (host == nullptr) { return exit_usage; }
        exit = std::max(exit, sweep_one(fleet, *host));
    }
    if (const auto reader = LedgerReader::open(state_directory(globals));
        exit == exit_ok && reader) {
        const auto leases = reader->open_leases();
        if (leases && !leases->empty()) {
            progress("The ledger still has open leases. To prove that they ended: drill undo");
        }
    }
    return exit;
}

}  // namespace drill::cli
