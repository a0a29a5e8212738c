// See manual_codes.hpp.
#include "config/manual_codes.hpp"

#include "config/codes.hpp"

namespace drill {

namespace {

constexpr CodeHelp helps[] = {
    {codes::unreadable,
     "drill reads regular files only: a pipe or a device could block it, a directory holds no "
     "definition. Check the path and who may read it.",
     "", ""},
    {codes::too_large,
     "An experiment of more than 1 MiB or a catalog of more than 4 MiB is a mistake: another file "
     "was named, or it was generated without end.",
     "", ""},
    {codes::bare_duration,
     "TOML has no durations of its own, so they are written as texts. Without quotes TOML would "
     "read a number and then stumble over the unit.",
     "rto = 15m", "rto = \"15m\""},
    {codes::bare_percent, "TOML has no percentages of its own, so they are written as texts.",
     "share = 50%", "share = \"50%\""},
    {codes::bare_word, "Only numbers, true, false and dates stand without quotes.", "name = orders",
     "name = \"orders\""},
    {codes::open_string,
     "A text in \" or ' ends on the line where it begins; one over several lines stands in three "
     "quotes.",
     "title = \"Orders", "title = \"Orders\""},
    {codes::open_bracket,
     "Look at the line that is named and at the one before it for a missing ], } or ].",
     "[limit\nhosts = 1", "[limit]\nhosts = 1"},
    {codes::missing_equals,
     "Every line that is neither empty, a comment nor a [header] is key = value.", "hosts 1",
     "hosts = 1"},
    {codes::missing_value,
     "A key without a value says nothing. Take the line out, or put # before it.",
     "hosts =", "hosts = 1"},
    {codes::duplicate_key,
     "TOML does not say which of two would win, so neither does. Take one out. Several probes, "
     "steps, hypotheses and halts are written with two brackets: [[probe]].",
     "hosts = 1\nhosts = 2", "hosts = 2"},
    {codes::bad_utf8,
     "TOML files are UTF-8. The file was probably saved in another encoding, or it is not a text "
     "at all.",
     "", ""},
    {codes::control_byte,
     "A control byte in a definition could hide what a terminal shows of it. Write it as an escape "
     "in a text, \\u001b, where it is meant.",
     "", ""},
    {codes::too_deep, "No definition needs it, and parsers can be made to crash by it.", "", ""},
    {codes::too_many_keys,
     "An experiment holds at most 10 000 keys and entries, a catalog 200 000.", "", ""},
    {codes::bad_syntax,
     "The text is not TOML 1.0. Only the first such error is shown, as nothing after it can be "
     "trusted.",
     "[limit] hosts = 1", "[limit]\nhosts = 1"},
    {codes::split_table,
     "TOML 1.0 wants { ... } on one line. Write it as a table of its own where it gets long.",
     "with = { process = \"orders\",\n  signal = \"KILL\" }",
     "with = { process = \"orders\", signal = \"KILL\" }"},
    {codes::too_many_entries,
     "A list of this length is a mistake, or wants a label instead of names.", "", ""},
    {codes::too_many_errors, "The first ones are shown. Mend them and validate again.", "", ""},
    {codes::unsafe_catalog,
     "The catalog says where drill logs in and as whom: whoever can write it, or rename files in "
     "its directory, could send drill elsewhere. It must belong to you or to root and be writable "
     "by nobody else: chmod go-w drill.toml .",
     "", ""},
    {codes::unsafe_key_file,
     "A private key that others can read is no longer private; OpenSSH refuses it too. chmod 600 "
     "FILE, and think about a new key.",
     "", ""},
    {codes::missing_key_file,
     "Relative paths begin at the directory of the catalog, a leading ~/ at your home directory. "
     "Leave `key` out to use the keys of your agent.",
     "key = { file = \"\" }", "key = { file = \"~/.ssh/id_ed25519\" }"},
    {codes::missing_key,
     "Nothing harmful has a default: what could change how much is hit, for how long or where, has "
     "to be written down. The help line shows how.",
     "[limit]\nhosts = 1", "[limit]\nhosts = 1\nlongest = \"5m\""},
    {codes::unknown_key,
     "A key that nobody reads is a misunderstanding, often a limit or a time-out that would "
     "silently not hold.",
     "timout = \"1s\"", "timeout = \"1s\""},
    {codes::wrong_type,
     "The message says what the key has to be. drill explain KEY shows it with its bounds.",
     "hosts = \"1\"", "hosts = 1"},
    {codes::missing_table,
     "Every experiment has [experiment] and [limit]; every catalog has [environment] and at least "
     "one [host.NAME].",
     "", "[limit]\nhosts = 1\nlongest = \"5m\""},
    {codes::useless_key,
     "A key that is passed over would let its author believe in something that does not happen, "
     "such "
     "as a password that nobody asks for.",
     "become_password = { file = \"sudo.txt\" }",
     "become = \"sudo\"\nbecome_password = { file = \"sudo.txt\" }"},
    {codes::missing_unit,
     "A bare number can be read as seconds, milliseconds or minutes, and people do. Units are d h "
     "m s ms us ns, and %.",
     "hold = 30", "hold = \"30s\""},
    {codes::bad_duration,
     "Durations are made of d h m s ms us ns from large to small, each once; a fraction may stand "
     "on the last: 1h30m, 250ms, 1.5s. At most 365d, never negative.",
     "hold = \"30 seconds\"", "hold = \"30s\""},
    {codes::bad_percent, "From 0% to 100%, with at most four digits behind the point.",
     "share = \"150%\"", "share = \"50%\""},
    {codes::out_of_range,
     "The help line says the bounds. drill explain KEY shows them too, with what the key is for.",
     "lease = \"1s\"", "lease = \"15s\""},
    {codes::bad_choice,
     "The key takes one of a few words; the help line lists them, or the nearest.",
     "class = \"prod\"", "class = \"production\""},
    {codes::bad_name,
     "Names end up in file names, unit names, nft tables and reports, so they are kept plain: a-z, "
     "0-9 and -, at most 64.",
     "name = \"Orders DB\"", "name = \"orders-db\""},
    {codes::bad_address,
     "Host names, addresses and users become arguments of programs: only A-Z a-z 0-9 . _ : % -, "
     "not beginning with -. `addresses` takes IPv4 and IPv6 addresses only.",
     "address = \"-oProxyCommand=x\"", "address = \"192.0.2.11\""},
    {codes::bad_port, "1 to 65535, or a range with the smaller port first.",
     "ports = [\"8100-8000\"]", "ports = [443, \"8000-8100\"]"},
    {codes::bad_predicate,
     "METRIC COMPARISON VALUE [for SPAN]: success against a percentage, p50, p90, p95 and p99 "
     "against a duration. drill explain success",
     "during = \"success > often\"", "during = \"success >= 90%\""},
    {codes::bad_text,
     "What ends up in an argument, a header line or a log must not hold line breaks or control "
     "characters.",
     "", ""},
    {codes::unknown_fault, "drill explain lists the kinds that this program has.",
     "fault = \"net-partitoin\"", "fault = \"net-partition\""},
    {codes::unknown_probe_kind, "drill explain lists the kinds that this program has.",
     "kind = \"htpp\"", "kind = \"http\""},
    {codes::unknown_target, "`on` names a [target.NAME] of the same file.", "on = \"backends\"",
     "on = \"backend\""},
    {codes::unknown_probe, "`probe` names a [[probe]] of the same file, by its `name`.",
     "probe = \"ordr\"", "probe = \"order\""},
    {codes::unknown_step, "`after` names steps of the same file, by their `name`.",
     "after = [\"cutoff\"]", "after = [\"cut-off\"]"},
    {codes::unknown_service,
     "`service` names a [service.NAME] of the catalog that is in use; --config names another "
     "catalog.",
     "service = \"oders\"", "service = \"orders\""},
    {codes::unknown_host,
     "Hosts are called by their names in the catalog, [host.NAME], not by their addresses.",
     "match = [\"10.77.0.4\"]", "match = [\"app-1\"]"},
    {codes::unknown_label,
     "A label that no host has selects nothing, which is never what was meant.",
     "match = { rol = \"db\" }", "match = { role = \"db\" }"},
    {codes::matches_nothing,
     "An empty selection would make a drill that does nothing look like one that passed.",
     "match = []", "match = \"all\""},
    {codes::duplicate_name, "Reports, hypotheses and `after` go by names, so each is used once.",
     "after = [\"cut-off\", \"cut-off\"]", "after = [\"cut-off\"]"},
    {codes::cycle,
     "Steps that wait for each other never begin, and jump hosts that lead back to themselves are "
     "never reached.",
     "[[step]]\nname = \"a\"\nafter = [\"a\"]", "[[step]]\nname = \"b\"\nafter = [\"a\"]"},
    {codes::no_limit,
     "The limit is the blast radius; it has no default. `hosts`, `share` or both: then the smaller "
     "one counts.",
     "[limit]\nlongest = \"5m\"", "[limit]\nhosts = 1\nlongest = \"5m\""},
    {codes::hold_too_long, "limit.longest is the promise to everybody else; no step may break it.",
     "longest = \"1m\" and hold = \"5m\"", "longest = \"5m\" and hold = \"5m\""},
    {codes::rpo_without_marker,
     "Loss of data is measured by numbered writes that are read back. This version has no such "
     "writer, and it does not say PASSED about what it has not measured. An rpo in the catalog may "
     "stay: it is shown as \"not measured\".",
     "[objective]\nrpo = \"0s\"", "[objective]\nrto = \"30s\""},
    {codes::no_step,
     "Without a fault nothing is tried. For a drill that changes nothing use the fault noop.", "",
     "[[step]]\nname  = \"greet\"\nfault = \"noop\"\non    = \"any\"\nhold  = \"3s\""},
    {codes::no_hypothesis,
     "A drill without an expectation can only be looked at, not passed or failed.", "",
     "[[hypothesis]]\nprobe  = \"order\"\nduring = \"success >= 90%\""},
    {codes::judges_nothing,
     "A hypothesis has to say when it holds: `before`, `during`, `regain`, `integrity`, or "
     "several.",
     "[[hypothesis]]\nprobe = \"order\"",
     "[[hypothesis]]\nprobe  = \"order\"\nduring = \"success >= 90%\""},
    {codes::halt_without_span,
     "One bad answer must not end a drill, and one good one must not hide an outage: say for how "
     "long the condition has to be true.",
     "when = \"success < 20%\"", "when = \"success < 20% for 20s\""},
    {codes::unused_target, "A warning: a target without a step is often a step with a wrong `on`.",
     "", ""},
    {codes::bad_fallback,
     "A kind declares a default that its own type does not allow. Please report it with the name "
     "of the kind.",
     "", ""},
};

}  // namespace

std::span<const CodeHelp> code_helps() { return helps; }

}  // namespace drill
