// See ground.hpp. One function for each topic; none of them knows of another.
#include "plan/ground.hpp"

#include "base/text.hpp"
#include "plan/facts.hpp"
#include "plan/gates.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace drill {

namespace {

// Oldest versions whose parts the kinds use: `typeof` in sets, the egress hook in nft and kernel.
constexpr std::array<int, 3> nft_typeof{0, 9, 4};
constexpr std::array<int, 3> nft_egress{1, 0, 1};
constexpr std::array<int, 3> kernel_egress{5, 16, 0};

// Times of two hosts are compared with this much of doubt; more than that makes RTO figures of
// host-side logs misleading.
constexpr Nanos clock_matters = std::chrono::milliseconds{100};

std::string safe_text(std::string_view text) { return escape_control(trim(text), Lines::one); }

const std::vector<std::string>& values(const GroundAnswer& answer, const std::string& name) {
    static const std::vector<std::string> none;
    const auto found = answer.find(name);
    return found == answer.end() ? none : found->second;
}

std::string value(const GroundAnswer& answer, const std::string& name) {
    const std::vector<std::string>& all = values(answer, name);
    return all.empty() ? std::string() : all.front();
}

/// The value of the first entry that begins with this word.
std::string tagged(const GroundAnswer& answer, const std::string& name, std::string_view word) {
    for (const std::string& one : values(answer, name)) {
        if (starts_with_word(one, word)) {
            return std::string(trim(std::string_view(one).substr(word.size())));
        }
    }
    return "";
}

/// The first three numbers of "nftables v1.0.6 (...)", "iproute2-6.1.0", "5.14.0-70.el9".
std::optional<std::array<int, 3>> numbers_of(std::string_view text) {
    std::array<int, 3> found{0, 0, 0};
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool digit = text[i] >= '0' && text[i] <= '9';
        // "iproute2-6.1.0": the 2 belongs to the name.
        const bool named = i > 0 && ((text[i - 1] >= 'a' && text[i - 1] <= 'u') ||
                                     (text[i - 1] >= 'w' && text[i - 1] <= 'z'));
        if (!digit || named) { continue; }
        const char* at = text.data() + i;
        const char* end = text.data() + text.size();
        for (std::size_t n = 0; n < found.size(); ++n) {
            const auto [next, bad] = std::from_chars(at, end, found.at(n));
            if (bad != std::errc{}) { break; }
            at = next;
            if (at == end || *at != '.') { break; }
            ++at;
        }
        return found;
    }
    return std::nullopt;
}

std::string version_text(const std::array<int, 3>& version) {
    return std::to_string(version[0]) + "." + std::to_string(version[1]) +
           (version[2] != 0 ? "." + std::to_string(version[2]) : "");
}

/// "1.0.6" out of "nftables v1.0.6 (Lester Gooch #5)"; "" when the tool is not there.
std::string short_version(const GroundAnswer& answer, const std::string& tool) {
    const std::string raw = tagged(answer, "version", tool);
    if (raw.empty()) { return ""; }
    if (raw.starts_with("BusyBox")) { return "busybox"; }
    const auto version = numbers_of(raw);
    if (!version) { return safe_text(raw).substr(0, 24); }
    return tool == "systemd" ? std::to_string((*version)[0]) : version_text(*version);
}

class Judge {
public:
    Judge(const GroundInput& input, Kinds kinds) : in_(input), kinds_(kinds) {}
    HostGround judge();

private:
    void add(Concern concern, const char* topic, std::string says, std::string fix = "") {
        out_.remarks.push_back({concern, topic, std::move(says), std::move(fix)});
    }
    void login();
    void host();
    void system();
    void tools();
    void kernel();
    void directory();
    void security();
    void clock();
    void synchronisation();
    void identity();
    void reactions();
    void restarts();
    void audit();
    void credentials();
    void judge_kinds();
    void nft_parts(const Kind& kind, KindGround& ground) const;
    void part(KindGround& ground, Has has, const std::string& what, const std::string& fix) const;
    [[nodiscard]] bool runs(const std::string& process) const {
        const auto& all = values(in_.answer, "process");
        return std::find(all.begin(), all.end(), process) != all.end();
    }

    const GroundInput& in_;
    Kinds kinds_;
    HostGround out_;
};

void Judge::login() {
    const Connection& to = in_.connection;
    const std::string user = fact(in_.facts, "user");
    std::string says = to.transport == "local" ? "on this machine" : to.user;
    if (says.empty()) { says = user.empty() ? "the login of ssh_config" : safe_text(user); }
    if (!in_.way.empty() && !in_.way.back().method.empty()) {
        says += " by " + safe_text(in_.way.back().method);
    }
    if (!to.become.empty()) {
        says += ", " + to.become + (in_.became ? " gives root" : " REFUSED");
    }
    if (to.become.empty()) { says += user.empty() ? "" : ", commands run as " + safe_text(user); }
    const std::string shell = value(in_.answer, "login_shell");
    if (!shell.empty()) { says += ", login shell " + safe_text(shell); }
    const std::string sh = fact(in_.facts, "shell");
    if (!sh.empty()) { says += ", sh is " + safe_text(sh); }
    add(Concern::good, "login", says);
    if (!in_.became) {
        add(Concern::trouble, "become", safe_text(in_.refusal),
            "`drill doctor --sudoers " + to.host + "` prints the line that is needed");
    }
    if (shell.ends_with("/nologin") || shell.ends_with("/false")) {
        add(Concern::note, "login", "the login shell runs no commands of others");
    }
}

void Judge::host() {
    for (const Lack& lack : host_lacks(in_.connection.host, in_.connection, in_.facts)) {
        // Without become nothing of root can be said; the refusal has been told already.
        if (!in_.became && lack.says.starts_with("commands run as")) { continue; }
        add(Concern::trouble, "host", lack.says, lack.fix);
    }
    if (value(in_.answer, "run_writable") == "0" && fact(in_.facts, "uid") == "0") {
        add(Concern::trouble, "host", "/run cannot be written, leases and guards live there",
            "mount it read-write");
    }
}

/// What is known of a distribution: tried, or only read from the versions of its parts.
std::string standing(const Facts& facts) {
    const std::string id = fact(facts, "os_id");
    const auto version = numbers_of(fact(facts, "os_version"));
    const int major = version ? (*version)[0] : 0;
    if (id == "debian" && major == 12) { return "tested"; }
    constexpr std::array<std::string_view, 5> red_hats{"rhel", "rocky", "almalinux", "ol",
                                                       "centos"};
    const bool red_hat = std::find(red_hats.begin(), red_hats.end(), id) != red_hats.end();
    const bool expected = (id == "debian" && major > 12) ||
                          (red_hat && (major == 8 || major == 9)) ||
                          ((id == "sles" || id == "sled") && major == 15) ||
                          (id == "ubuntu" && major >= 20 && major % 2 == 0 && (*version)[1] == 4);
    return expected ? "expected to work by the versions of its parts, not tested"
                    : "neither tested nor expected";
}

void Judge::system() {
    const std::string name = fact(in_.facts, "os_name");
    std::string says = (name.empty() ? "no os-release" : safe_text(name)) + " (" +
                       standing(in_.facts) + "), kernel " + safe_text(fact(in_.facts, "kernel")) +
                       ", init " + safe_text(fact(in_.facts, "init"));
    add(Concern::good, "system", says);
    if (!out_.boot_id.empty()) { add(Concern::good, "boot", out_.boot_id); }
}

void Judge::tools() {
    std::vector<std::string> parts;
    for (const char* tool : {"nft", "tc", "ip", "systemd"}) {
        const std::string version = short_version(in_.answer, tool);
        parts.push_back(std::string(tool) + " " + (version.empty() ? "-" : version));
    }
    add(Concern::good, "tools", join(parts, ", "));
}

void Judge::kernel() {
    struct Part {
        const char* says;
        const char* option;
        const char* module;
    };
    constexpr std::array<Part, 6> parts{{{"nf_tables", "NF_TABLES", "nf_tables"},
                                         {"netdev egress", "NETFILTER_EGRESS", ""},
                                         {"numgen", "NFT_NUMGEN", "nft_numgen"},
                                         {"netem", "NET_SCH_NETEM", "sch_netem"},
                                         {"tbf", "NET_SCH_TBF", "sch_tbf"},
                                         {"freezer", "CGROUP_FREEZER", ""}}};
    std::string says;
    for (const Part& part : parts) {
        const Has has = kernel_has(in_.answer, part.option, part.module);
        says += std::string(says.empty() ? "" : ", ") + part.says +
                (has == Has::yes  ? " yes"
                 : has == Has::no ? " NO"
                                  : " unknown");
    }
    const std::string cgroup = value(in_.answer, "cgroup2");
    says += ", cgroup v2 " + (cgroup.empty() ? "NO" : "at " + safe_text(cgroup));
    const std::string config = value(in_.answer, "kernel_config");
    says += config.empty() ? " (no configuration of the kernel can be read)" : "";
    add(Concern::good, "kernel", says);
}

void Judge::directory() {
    const std::string where = fact(in_.facts, "exec_directory");
    if (!where.empty()) {
        add(Concern::good, "directory", "programs can be run from " + safe_text(where));
    } else {
        add(Concern::doubt, "directory",
            "/var/lib is mounted noexec or read-only: kinds with a program of their own cannot run",
            "mount a file system without noexec at /var/lib/drill");
    }
}

void Judge::security() {
    const std::string selinux = value(in_.answer, "selinux");
    if (selinux == "1") {
        add(Concern::doubt, "security", "SELinux is enforcing: it may stop a guard or a program",
            "not tested there; if a guard fails: `ausearch -m avc -ts recent`");
    } else if (selinux == "0") {
        add(Concern::note, "security", "SELinux is permissive");
    }
    if (runs("fapolicyd")) {
        add(Concern::doubt, "security",
            "fapolicyd runs: a program below /var/lib/drill/bin is not trusted",
            "`fapolicyd-cli --file add /var/lib/drill/bin/` and `fapolicyd-cli --update`");
    }
    if (value(in_.answer, "apparmor") == "Y") {
        add(Concern::note, "security",
            "AppArmor is on; profiles of a service may hold back its own "
            "programs, not sh, nft or tc");
    }
    if (selinux.empty() && !runs("fapolicyd") && value(in_.answer, "apparmor") != "Y") {
        add(Concern::good, "security", "no SELinux, fapolicyd or AppArmor");
    }
}

void Judge::clock() {
    if (in_.offset) {
        const auto signed_time = [](Nanos span) {
            return (span < Nanos{0} ? "-" : "+") + show_duration(span < Nanos{0} ? -span : span);
        };
        const Nanos low = in_.offset->low;
        const Nanos high = in_.offset->high;
        const bool off = low > clock_matters || high < -clock_matters;
        add(off ? Concern::doubt : Concern::good, "clock",
            "between " + signed_time(low) + " and " + signed_time(high) + " of the controller's" +
                (off ? ": times in its logs cannot be laid beside ours" : ""),
            off ? "synchronise both with the same source" : "");
    } else if (in_.connection.transport != "local") {
        add(Concern::doubt, "clock", "its offset could not be measured");
    }
    synchronisation();
}

void Judge::synchronisation() {
    const std::string sync = value(in_.answer, "sync");
    const std::string source = sync.substr(0, sync.find(' '));
    const bool right = sync.ends_with(" Normal") || sync == "timedatectl yes";
    if (right) {
        const std::string offset = value(in_.answer, "sync_offset");
        add(Concern::good, "clock",
            "synchronised by " + safe_text(source) +
                (offset.empty() ? "" : " (" + safe_text(offset) + ")"));
        return;
    }
    add(Concern::doubt, "clock",
        sync.empty() ? "no chrony, systemd-timesyncd or ntpd was found that could tell whether it "
                       "is synchronised"
                     : "NOT synchronised, says " + safe_text(sync),
        "run chrony or systemd-timesyncd there");
}

void Judge::identity() {
    std::vector<std::string> on;
    for (const std::string& line : values(in_.answer, "nsswitch")) {
        for (const char* service : {"ldap", "sss", "winbind", "nis"}) {
            const std::string name = line.substr(0, line.find(':'));
            const std::vector<std::string> sources = split(line, ' ');
            if (std::find(sources.begin(), sources.end(), service) != sources.end()) {
                on.push_back(name + " by " + service);
            }
        }
    }
    for (const std::string& line : values(in_.answer, "sshd")) {
        if (line.starts_with("AuthorizedKeysCommand ") && !line.ends_with(" none")) {
            on.push_back("authorized keys by " + safe_text(line.substr(22)));
        }
        if (line == "GSSAPIAuthentication yes") { on.push_back("Kerberos (sshd)"); }
        if (line == "UseDNS yes") { on.push_back("DNS (sshd's UseDNS)"); }
    }
    if (value(in_.answer, "krb5") == "1") { on.push_back("Kerberos (krb5.conf)"); }
    const std::string fs = value(in_.answer, "home_fs");
    if (fs.starts_with("nfs") || fs == "autofs" || fs == "cifs") {
        on.push_back("the home directory on " + safe_text(fs));
    }
    const std::string services = fact(in_.facts, "identity_services");
    if (!on.empty()) {
        add(Concern::note, "identity",
            "a login needs " + join(on, ", ") +
                (services.empty() ? "" : "; servers " + safe_text(services)),
            "a fault that cuts these off can lock us out until its lease ends");
    } else {
        add(Concern::good, "identity",
            "a login needs local files only" +
                (services.empty() ? std::string() : "; name servers " + safe_text(services)));
    }
}

void Judge::reactions() {
    constexpr std::array<std::pair<std::string_view, std::string_view>, 21> known{
        {{"corosync", "fences a member that it does not hear"},
         {"pacemakerd", "moves or fences what it finds failed"},
         {"sbd", "resets the host when it loses its disk or its cluster"},
         {"stonithd", "powers other members off"},
         {"keepalived", "moves addresses"},
         {"etcd", "elects another leader"},
         {"consul", "takes the host out of its services"},
         {"nomad", "starts its work elsewhere"},
         {"patroni", "promotes a replica, and may demote this one"},
         {"repmgrd", "promotes a replica"},
         {"pgpool", "fails over"},
         {"kubelet", "restarts containers; the node's work is moved after some minutes"},
         {"glusterd", "heals after an outage"},
         {"watchdog", "resets the host when a check fails"},
         {"wd_keepalive", "keeps the watchdog quiet; when it stops, the host resets"},
         {"monit", "restarts what it watches"},
         {"supervisord", "restarts what it started"},
         {"runsvdir", "restarts what it started"},
         {"firewalld", "may load its rules anew; ours stand in tables of their own"},
         {"NetworkManager", "may bring a link up again that was taken down"},
         {"systemd-network", "may bring a link up again that was taken down"}}};
    for (const auto& entry : known) {
        const std::string_view name = entry.first;
        const auto& all = values(in_.answer, "process");
        const bool there = std::any_of(
            all.begin(), all.end(), [&](const std::string& one) { return one.starts_with(name); });
        if (there) {
            add(Concern::note, "reacts", std::string(name) + " " + std::string(entry.second));
        }
    }
    for (const char* agent : {"puppet", "chef-client", "salt-minion", "cf-execd"}) {
        if (runs(agent)) {
            add(Concern::note, "reacts",
                std::string(agent) + " may start or change again what a fault stopped");
        }
    }
    for (const std::string& line : values(in_.answer, "watchdog")) {
        const std::vector<std::string> words = split(line, ' ');
        const bool active = words.size() > 1 && words[1] == "active";
        const bool idle = words.size() > 1 && words[1] == "inactive";
        add(active ? Concern::doubt : Concern::note, "reacts",
            safe_text(words[0]) + (active ? " is armed: a starved host resets" +
                                                (words.size() > 2 && !words[2].empty()
                                                     ? " after " + safe_text(words[2]) + " s"
                                                     : std::string())
                                   : idle ? " is there, not armed"
                                          : " is there, whether it is armed is not known"));
    }
    restarts();
    audit();
    const bool any = std::any_of(out_.remarks.begin(), out_.remarks.end(),
                                 [](const Remark& one) { return one.topic == "reacts"; });
    if (!any) {
        add(Concern::good, "reacts", "no watchdog, cluster manager or supervisor that we know");
    }
}

void Judge::restarts() {
    constexpr std::size_t shown = 8;
    std::vector<std::string> own;
    for (const std::string& unit : values(in_.answer, "restart")) {
        // What every systemd host has; a drill does not aim at them.
        const bool usual = unit.starts_with("systemd-") || unit.starts_with("ssh") ||
                           unit.starts_with("serial-getty") || unit.starts_with("getty");
        if (!usual) { own.push_back(safe_text(unit)); }
    }
    if (own.empty()) { return; }
    const std::size_t more = own.size() > shown ? own.size() - shown : 0;
    own.resize(std::min(own.size(), shown));
    add(Concern::note, "reacts",
        "systemd restarts " + join(own, ", ") +
            (more > 0 ? " and " + std::to_string(more) + " more" : ""));
}

void Judge::audit() {
    for (const char* panic : {"panic_on_oom", "panic_on_oops"}) {
        const std::string text = tagged(in_.answer, "sysctl", panic);
        if (!text.empty() && text != "0") {
            add(std::string_view(panic) == "panic_on_oom" ? Concern::doubt : Concern::note,
                "reacts",
                "kernel." + std::string(panic) + " = " + safe_text(text) +
                    ": the kernel panics then");
        }
    }
    if (!runs("auditd")) { return; }
    for (const std::string& line : values(in_.answer, "audit")) {
        std::string lower = line;
        std::transform(lower.begin(), lower.end(), lower.begin(), [](char c) {
            return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        });
        const bool halts =
            lower.ends_with(" halt") || lower.ends_with(" single") || lower == "failure panic";
        if (halts) {
            add(Concern::doubt, "reacts",
                "auditd: " + safe_text(line) + ": a full disk stops this host",
                "keep disk-fill away from the file system of /var/log/audit");
        }
    }
}

void Judge::credentials() {
    std::vector<Credential> all = in_.credentials;
    for (Credential& one : account_ends(in_.connection.host, in_.connection, in_.facts)) {
        all.push_back(std::move(one));
    }
    for (const Credential& one : all) {
        const Nanos left = one.ends - in_.now;
        const bool short_of = left < in_.need;
        add(short_of ? Concern::trouble : Concern::good, "credential",
            safe_text(one.what) +
                (left <= Nanos{0} ? " has ended" : " ends in " + show_duration(left)) + " (" +
                rfc3339(one.ends) + ")",
            short_of ? one.fix : "");
    }
    for (const char* name : {"password", "account"}) {
        const std::string ends = value(in_.answer, std::string(name) + "_ends");
        if (!ends.empty() && ends != "never") {
            add(Concern::note, "credential",
                std::string("the login's ") + name + " ends: " + safe_text(ends));
        }
    }
    const bool any = std::any_of(out_.remarks.begin(), out_.remarks.end(),
                                 [](const Remark& one) { return one.topic == "credential"; });
    const bool seen = in_.facts.contains("aging") || !value(in_.answer, "account_ends").empty();
    if (any) { return; }
    if (seen) {
        add(Concern::good, "credential", "no credential that ends is known");
    } else {
        add(Concern::note, "credential",
            "whether the login's account or password ends is not known");
    }
}

void Judge::part(KindGround& ground, Has has, const std::string& what,
                 const std::string& fix) const {
    if (has == Has::yes) { return; }
    ground.possible = std::max(ground.possible, has == Has::no ? Possible::no : Possible::unsure);
    ground.lacks.push_back({what + (has == Has::no ? " is missing" : " could not be seen"), fix});
}

void Judge::nft_parts(const Kind& kind, KindGround& ground) const {
    const auto version = numbers_of(tagged(in_.answer, "version", "nft"));
    part(ground, kernel_has(in_.answer, "NF_TABLES", "nf_tables"), "nf_tables in the kernel",
         "a kernel with CONFIG_NF_TABLES");
    if (kind.name == "net-loss") {
        part(ground, kernel_has(in_.answer, "NFT_NUMGEN", "nft_numgen"), "numgen in the kernel",
             "a kernel with CONFIG_NFT_NUMGEN");
    }
    if (version && *version < nft_typeof) {
        part(ground, Has::no, "`typeof` in nft " + version_text(*version), "nft 0.9.4 or later");
    }
    Has egress = kernel_has(in_.answer, "NETFILTER_EGRESS", "");
    const auto kernel = numbers_of(fact(in_.facts, "kernel"));
    if (egress == Has::unknown && kernel && *kernel >= kernel_egress) { egress = Has::yes; }
    if (version && *version < nft_egress) { egress = Has::no; }
    if (egress != Has::yes) {
        // One direction works without it.
        ground.possible = std::max(ground.possible, Possible::unsure);
        ground.lacks.push_back(
            {std::string("the egress hook of netdev ") +
                 (egress == Has::no ? "is missing" : "could not be seen"),
             "direction = \"in\" works without; else kernel 5.16 and nft 1.0.1 or later"});
    }
}

void Judge::judge_kinds() {
    const bool closed = !usable(out_);
    for (const Kind* kind : kinds_) {
        KindGround ground{.kind = std::string(kind->name), .possible = Possible::yes, .lacks = {}};
        ground.lacks = kind_lacks(kind->name, kind->needs, in_.facts);
        if (!ground.lacks.empty()) { ground.possible = Possible::no; }
        const std::vector<std::string> needs = split(kind->needs, ' ');
        const auto wants = [&](const char* tool) {
            return std::find(needs.begin(), needs.end(), tool) != needs.end();
        };
        if (wants("nft") && ground.lacks.empty()) { nft_parts(*kind, ground); }
        constexpr std::array<std::string_view, 5> by_netem{
            "net-corrupt", "net-delay", "net-duplicate", "net-jitter", "net-reorder"};
        if (std::find(by_netem.begin(), by_netem.end(), kind->name) != by_netem.end()) {
            part(ground, kernel_has(in_.answer, "NET_SCH_NETEM", "sch_netem"),
                 "netem in the kernel",
                 "the package with extra kernel modules (kernel-modules-extra, "
                 "linux-modules-extra)");
        }
        if (kind->name == "net-bandwidth") {
            part(ground, kernel_has(in_.answer, "NET_SCH_TBF", "sch_tbf"), "tbf in the kernel",
                 "a kernel with CONFIG_NET_SCH_TBF");
        }
        if (kind->name == "freeze") {
            const bool there =
                !value(in_.answer, "cgroup2").empty() || !value(in_.answer, "freezer").empty();
            part(ground, there ? Has::yes : Has::no, "a cgroup that can be frozen",
                 "a kernel with cgroup v2");
        }
        if (closed) { ground.possible = Possible::no; }
        out_.kinds.push_back(std::move(ground));
    }
}

HostGround Judge::judge() {
    const Connection& to = in_.connection;
    out_.host = to.host;
    out_.address = to.transport == "local"
                       ? ""
                       : to.address + (to.port == 0 ? "" : ":" + std::to_string(to.port));
    out_.answered = true;
    out_.way = in_.way;
    out_.answer = in_.latency;
    out_.offset = in_.offset;
    out_.boot_id = safe_text(fact(in_.facts, "boot_id"));
    login();
    host();
    system();
    if (in_.answer.empty()) {
        add(Concern::doubt, "kernel", "the question about tools and kernel was not answered");
    } else {
        tools();
        kernel();
    }
    directory();
    if (!in_.answer.empty()) {
        security();
        clock();
        identity();
        reactions();
    }
    credentials();
    judge_kinds();
    return std::move(out_);
}

}  // namespace

Has kernel_has(const GroundAnswer& answer, std::string_view option, std::string_view module) {
    const std::vector<std::string>& loadable = values(answer, "module");
    const bool there =
        !module.empty() && std::find(loadable.begin(), loadable.end(), module) != loadable.end();
    if (there) { return Has::yes; }
    const std::string set = tagged(answer, "config", option);
    if (set == "y") { return Has::yes; }
    if (set == "m") {
        // Configured, but its file may be in a package that is not installed.
        return module.empty() || value(answer, "modules").empty() ? Has::unknown : Has::no;
    }
    if (!set.empty()) { return Has::no; }
    return value(answer, "kernel_config").empty() ? Has::unknown : Has::no;
}

bool usable(const HostGround& ground) {
    return ground.answered &&
           std::none_of(ground.remarks.begin(), ground.remarks.end(),
                        [](const Remark& one) { return one.concern == Concern::trouble; });
}

HostGround judge_ground(const GroundInput& input, Kinds kinds) {
    return Judge(input, kinds).judge();
}

}  // namespace drill
