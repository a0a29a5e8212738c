// See keys.hpp. One row for each key, in the order in which people write them.
#include "config/keys.hpp"

namespace drill {

namespace {

constexpr auto experiment = DefinitionFile::experiment;
constexpr auto catalog = DefinitionFile::catalog;
constexpr std::int64_t second = 1'000;  // in ms, as the bounds of durations
constexpr std::int64_t minute = 60 * second;
constexpr std::int64_t hour = 60 * minute;
constexpr std::int64_t day = 24 * hour;
constexpr std::int64_t whole_ppm = 1'000'000;
constexpr std::int64_t most_hosts = 10'000;

constexpr TableRule tables[] = {
    {"experiment", "What this drill is called and which service it is about.", experiment,
     TableShape::once, true},
    {"objective",
     "What was promised. A key that is not here is taken from the service in the catalog.",
     experiment, TableShape::once, false},
    {"limit", "The blast radius: how many hosts, which share of a group, how long.", experiment,
     TableShape::once, true},
    {"target",
     "A group of hosts that steps work on. Hosts are drawn when the plan is made, then frozen.",
     experiment, TableShape::named, false},
    {"probe",
     "A question that is asked again and again on an absolute schedule. Besides these keys it "
     "takes the parameters of its kind.",
     experiment, TableShape::many, false},
    {"hypothesis", "What should hold: before the faults, during them, or again within a time.",
     experiment, TableShape::many, true},
    {"halt",
     "A condition that ends the drill at once and undoes everything, also when it cannot be "
     "evaluated.",
     experiment, TableShape::many, false},
    {"step",
     "One fault on the hosts of one target. Steps follow each other in file order unless `after` "
     "says otherwise.",
     experiment, TableShape::many, true},
    {"environment", "What this catalog describes, and how careful drill has to be.", catalog,
     TableShape::once, true},
    {"host", "One host and the way to it.", catalog, TableShape::named, true},
    {"service", "What runs on hosts, who owns it and what was promised of it.", catalog,
     TableShape::named, false},
};

constexpr KeyRule keys[] = {
    {.file = experiment,
     .table = "experiment",
     .name = "name",
     .type = KeyType::name,
     .required = true,
     .help = "Names the drill in plans, reports and the ledger."},
    {.file = experiment,
     .table = "experiment",
     .name = "title",
     .type = KeyType::text,
     .help = "One line for people: what should be true. Without it the name is shown."},
    {.file = experiment,
     .table = "experiment",
     .name = "service",
     .type = KeyType::name,
     .help = "The [service.NAME] of the catalog whose objectives count."},
    {.file = experiment,
     .table = "objective",
     .name = "rto",
     .type = KeyType::duration,
     .least = 1,
     .most = 30 * day,
     .help = "Longest outage that was promised. Judged on the upper bound of what was measured."},
    {.file = experiment,
     .table = "objective",
     .name = "rpo",
     .type = KeyType::duration,
     .most = 30 * day,
     .help = "Longest loss of data that was promised. It needs the marker writer, which this "
             "version does not have, so a file that gives it is refused (E0403)."},
    {.file = experiment,
     .table = "limit",
     .name = "hosts",
     .type = KeyType::integer,
     .least = 1,
     .most = most_hosts,
     .help = "Most hosts that are changed at one time. `hosts` or `share` has to be there."},
    {.file = experiment,
     .table = "limit",
     .name = "share",
     .type = KeyType::percent,
     .least = 1,
     .most = whole_ppm,
     .help = "Most of the group that is changed at one time, rounded down to whole hosts."},
    {.file = experiment,
     .table = "limit",
     .name = "of",
     .type = KeyType::selection,
     .help = "The group that `share` counts over. Without it: all hosts of the catalog with the "
             "role of the targets."},
    {.file = experiment,
     .table = "limit",
     .name = "longest",
     .type = KeyType::duration,
     .required = true,
     .least = second,
     .most = day,
     .help = "No fault is held longer than this, whatever a step says or a person asks for."},
    {.file = experiment,
     .table = "limit",
     .name = "lease",
     .type = KeyType::duration,
     .fallback = "\"15s\"",
     .least = 3 * second,
     .most = 10 * minute,
     .help = "How long a fault may outlive its controller. It is renewed at a third of it."},
    {.file = experiment,
     .table = "target",
     .name = "match",
     .type = KeyType::selection,
     .required = true,
     .help = "Which hosts of the catalog belong to it. \"all\" has to be spelled."},
    {.file = experiment,
     .table = "target",
     .name = "pick",
     .type = KeyType::pick,
     .required = true,
     .least = 1,
     .most = most_hosts,
     .help = "How many of them are drawn: a count, a percentage or \"all\". The draw is seeded "
             "and the seed recorded."},
    {.file = experiment,
     .table = "probe",
     .name = "name",
     .type = KeyType::name,
     .required = true,
     .help = "What hypotheses and halt conditions call it."},
    {.file = experiment,
     .table = "probe",
     .name = "kind",
     .type = KeyType::probe,
     .required = true,
     .help = "What is asked. `drill explain` lists the kinds."},
    {.file = experiment,
     .table = "probe",
     .name = "every",
     .type = KeyType::duration,
     .required = true,
     .least = 1,
     .most = hour,
     .help = "Distance of the schedule. Questions leave on time even when earlier ones are still "
             "unanswered."},
    {.file = experiment,
     .table = "probe",
     .name = "timeout",
     .type = KeyType::duration,
     .required = true,
     .least = 1,
     .most = 5 * minute,
     .help = "An answer that is not there by then is a failed sample."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "probe",
     .type = KeyType::name,
     .required = true,
     .help = "The [[probe]] that it is judged by."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "before",
     .type = KeyType::predicate,
     .help = "The steady state. It is measured first; when it does not hold the run is REFUSED "
             "and nothing is touched."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "during",
     .type = KeyType::predicate,
     .help = "What holds while faults are in force: from each bite to the last read-back that "
             "still found it."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "regain",
     .type = KeyType::regain,
     .help = "How soon the probe is ok again, and for how long it has to stay so."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "regain.within",
     .type = KeyType::duration,
     .required = true,
     .least = 1,
     .most = day,
     .help = "Longest time until the first ok that holds."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "regain.hold",
     .type = KeyType::duration,
     .required = true,
     .least = 1,
     .most = hour,
     .help = "So long must the probe stay ok before it counts as regained."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "regain.from",
     .type = KeyType::choice,
     .fallback = "\"fault\"",
     .choices = "fault|undo",
     .help = "Whether `within` counts from the fault or from its undo."},
    {.file = experiment,
     .table = "hypothesis",
     .name = "integrity",
     .type = KeyType::duration,
     .least = 1,
     .most = hour,
     .help =
         "Says that this probe looks at data. Every answer has to be right for so long, counted "
         "from when everything is undone and every `regain` is decided."},
    {.file = experiment,
     .table = "halt",
     .name = "probe",
     .type = KeyType::name,
     .required = true,
     .help = "The [[probe]] that it looks at."},
    {.file = experiment,
     .table = "halt",
     .name = "when",
     .type = KeyType::predicate,
     .required = true,
     .help = "The condition, with its span: \"success < 20% for 20s\"."},
    {.file = experiment,
     .table = "step",
     .name = "name",
     .type = KeyType::name,
     .required = true,
     .help = "What reports and `after` call it."},
    {.file = experiment,
     .table = "step",
     .name = "fault",
     .type = KeyType::fault,
     .required = true,
     .help = "The kind of fault. `drill explain` lists them."},
    {.file = experiment,
     .table = "step",
     .name = "on",
     .type = KeyType::name,
     .required = true,
     .help = "The [target.NAME] whose hosts it is applied to."},
    {.file = experiment,
     .table = "step",
     .name = "with",
     .type = KeyType::with,
     .help = "Parameters of the kind; its page lists them: drill explain KIND."},
    {.file = experiment,
     .table = "step",
     .name = "hold",
     .type = KeyType::duration,
     .least = 100,
     .most = day,
     .help = "How long the fault stays, counted from its bite; at most limit.longest. Required "
             "but for kinds that end in an instant."},
    {.file = experiment,
     .table = "step",
     .name = "after",
     .type = KeyType::after,
     .help = "What it waits for: [\"x\"] until x is released, [\"x:held\"] until x holds, [] for "
             "nothing. Without it: the step before it in the file."},
    {.file = experiment,
     .table = "step",
     .name = "cuts_control",
     .type = KeyType::boolean,
     .fallback = "false",
     .help = "Says that this fault cuts the way by which drill reaches the host. Then silence is "
             "expected, nothing is renewed, and a halt cannot reach it before its end."},
    {.file = experiment,
     .table = "step",
     .name = "on_partial",
     .type = KeyType::choice,
     .fallback = "\"undo\"",
     .choices = "undo|continue",
     .help = "What follows when the fault takes effect on some of its targets only: everything is "
             "undone, or the others are held. A run that goes on so is never PASSED."},
    {.file = catalog,
     .table = "environment",
     .name = "name",
     .type = KeyType::name,
     .required = true,
     .help = "What a person types to confirm a run in a guarded environment."},
    {.file = catalog,
     .table = "environment",
     .name = "class",
     .type = KeyType::choice,
     .required = true,
     .choices = "lab|staging|production",
     .help = "Everything but lab is guarded: a run wants the name typed and a reason."},
    {.file = catalog,
     .table = "environment",
     .name = "contact",
     .type = KeyType::text,
     .help = "Whom a person who finds us on a host should call. It stands in the lease directory "
             "and in the host's syslog."},
    {.file = catalog,
     .table = "host",
     .name = "address",
     .type = KeyType::address,
     .help = "Name or address by which the controller reaches it. Required unless transport is "
             "local."},
    {.file = catalog,
     .table = "host",
     .name = "addresses",
     .type = KeyType::addresses,
     .least = 1,
     .most = 64,
     .help = "All addresses of the host, for faults that cut others off from it. Without it the "
             "host is asked."},
    {.file = catalog,
     .table = "host",
     .name = "labels",
     .type = KeyType::labels,
     .most = 64,
     .help = "What selections match: labels = { role = \"web\", site = \"a\" }."},
    {.file = catalog,
     .table = "host",
     .name = "user",
     .type = KeyType::address,
     .help = "The account there. Without it: root; by openssh, as ssh_config says."},
    {.file = catalog,
     .table = "host",
     .name = "port",
     .type = KeyType::integer,
     .fallback = "22",
     .least = 1,
     .most = 65'535,
     .help = "Port of its SSH server. By openssh and without it, as ssh_config says."},
    {.file = catalog,
     .table = "host",
     .name = "key",
     .type = KeyType::key_file,
     .help = "The private key; only you may be able to read it. Without it: the agent's keys; by "
             "openssh, as ssh_config says."},
    {.file = catalog,
     .table = "host",
     .name = "known_hosts",
     .type = KeyType::text,
     .fallback = "\"known_hosts\"",
     .help = "File with the keys of hosts. Relative paths begin at the catalog's directory. Keys "
             "are checked strictly; `drill trust HOST` records one. By openssh, \"ssh_config\" "
             "leaves it to the files that are named there."},
    {.file = catalog,
     .table = "host",
     .name = "become",
     .type = KeyType::choice,
     .choices = "sudo|doas",
     .help = "How root is reached where the account is not root. Neither may ask for a password, "
             "but where become_password says where sudo's lies."},
    {.file = catalog,
     .table = "host",
     .name = "become_password",
     .type = KeyType::secret,
     .help = "Where the password of sudo lies: a file that only you can read, a credential that "
             "systemd gives (LoadCredential=), or a command that prints it. It is read when a "
             "host is asked or changed, and goes to sudo over standard input only. After one "
             "rejection it is not tried again."},
    {.file = catalog,
     .table = "host",
     .name = "transport",
     .type = KeyType::choice,
     .fallback = "\"ssh\"",
     .choices = "ssh|openssh|local",
     .help = "How it is reached. openssh uses the ssh program with your ssh_config: for "
             "certificates, host keys signed by an authority, FIDO, GSSAPI and ProxyCommand. local "
             "is this machine, without a connection."},
    {.file = catalog,
     .table = "host",
     .name = "jump",
     .type = KeyType::address,
     .help = "Another host of the catalog through which it is reached; up to 8 in a row."},
    {.file = catalog,
     .table = "service",
     .name = "tier",
     .type = KeyType::integer,
     .fallback = "0",
     .most = 10,
     .help = "How important it is: 0 is the most important."},
    {.file = catalog,
     .table = "service",
     .name = "owner",
     .type = KeyType::text,
     .help = "Who answers for it."},
    {.file = catalog,
     .table = "service",
     .name = "hosts",
     .type = KeyType::selection,
     .required = true,
     .help = "The hosts that it runs on."},
    {.file = catalog,
     .table = "service",
     .name = "rto",
     .type = KeyType::duration,
     .most = 30 * day,
     .help = "Longest outage that was promised; for experiments that say nothing of their own."},
    {.file = catalog,
     .table = "service",
     .name = "rpo",
     .type = KeyType::duration,
     .most = 30 * day,
     .help = "Longest loss of data that was promised. This version shows it as \"not measured\"."},
    {.file = catalog,
     .table = "service",
     .name = "stateful",
     .type = KeyType::boolean,
     .fallback = "false",
     .help = "Its hosts share state: a fault that brings one of them back has to say `return`."},
};

}  // namespace

std::string TableRule::written() const {
    std::string text(name);
    switch (shape) {
        case TableShape::once: return "[" + text + "]";
        case TableShape::named: return "[" + text + ".NAME]";
        case TableShape::many: return "[[" + text + "]]";
    }
    return text;
}

std::span<const TableRule> table_rules() { return tables; }
std::span<const KeyRule> key_rules() { return keys; }

std::string_view describe(KeyType type) noexcept {
    switch (type) {
        case KeyType::text: return "text";
        case KeyType::name: return "name (a-z, 0-9 and -, at most 64)";
        case KeyType::address: return "name or address";
        case KeyType::boolean: return "true or false";
        case KeyType::integer: return "integer";
        case KeyType::duration: return "duration such as \"30s\"";
        case KeyType::percent: return "percentage such as \"50%\"";
        case KeyType::choice: return "one word";
        case KeyType::selection: return "{ label = \"value\" }, [\"host\"] or \"all\"";
        case KeyType::addresses: return "array of IPv4 and IPv6 addresses";
        case KeyType::labels: return "table of texts";
        case KeyType::key_file: return "{ file = \"path\" }";
        case KeyType::secret:
            return "{ file = \"path\" }, { credential = \"name\" } or { command = [\"...\"] }";
        case KeyType::pick: return "count, percentage or \"all\"";
        case KeyType::predicate: return "predicate such as \"success >= 99% for 10s\"";
        case KeyType::after: return "array of step names";
        case KeyType::regain: return "{ within = \"10s\", hold = \"5s\" }";
        case KeyType::fault: return "fault kind";
        case KeyType::probe: return "probe kind";
        case KeyType::with: return "table of parameters";
    }
    return "";
}

}  // namespace drill
