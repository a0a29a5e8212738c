// See facts.hpp. The script forks only for id, readlink, ip, sed and (without SSH_CONNECTION) tr.
#include "plan/facts.hpp"

#include "base/text.hpp"

#include <algorithm>
#include <array>
#include <set>

#include <arpa/inet.h>

namespace drill {

namespace {

/// How a fact is used. Facts that are not in the table are volatile.
enum class Use : unsigned char {
    machine,    ///< identity of every host
    addresses,  ///< identity of every host
    target      ///< identity of hosts that are changed
};
struct Named {
    std::string_view name;
    Use use;
};
// Volatile on purpose: boot_id, uptime_cs, hostname, kernel, uid, user, shell, ssh_client,
// ssh_server_address, identity_services, deny, stop, leases, exec_directory, tools nobody needs,
// os_id, os_like, os_version, os_name, login_user, aging (of that user: days of the last change, of
// the longest use, of grace, of the end, as in shadow(5), "::" where a field is empty).
constexpr std::array<Named, 6> identity_table{{{"addresses", Use::addresses},
                                               {"host_key", Use::machine},
                                               {"init", Use::target},
                                               {"interfaces", Use::target},
                                               {"machine_id", Use::machine},
                                               {"ssh_server_port", Use::target}}};
constexpr std::string_view tool_prefix = "tool.";

constexpr std::array<std::string_view, 14> usual_tools{
    "busybox", "ip",      "kill",   "logger",    "nc",          "nft", "ping",
    "python3", "service", "setsid", "systemctl", "systemd-run", "tc",  "timeout"};

/// Interfaces that container and virtual machine hosts make and drop all day.
constexpr std::array<std::string_view, 4> passing_interfaces{"veth", "cali", "vnet", "tap"};

// Everything a host may hold that stands in a list; bounds a hostile answer.
constexpr std::size_t longest_list = 512;
constexpr std::size_t longest_value = 16384;

constexpr std::string_view script_head = R"sh(LC_ALL=C; export LC_ALL; umask 077
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH; export PATH; r0=; r1=; r2=; r3=
nl='
'
v=; { read -r v </etc/machine-id; } 2>/dev/null || { read -r v </var/lib/dbus/machine-id; } 2>/dev/null
echo "machine_id=$v"
v=; read -r v </proc/sys/kernel/random/boot_id; echo "boot_id=$v"
v=; read -r v w </proc/uptime; echo "uptime_cs=${v%.*}${v#*.}"
v=; read -r v </proc/sys/kernel/hostname; echo "hostname=$v"
v=; read -r v </proc/sys/kernel/osrelease; echo "kernel=$v"
v=; if [ -d /run/systemd/system ]; then v=systemd; else { read -r v </proc/1/comm; } 2>/dev/null; fi
echo "init=$v"
echo "uid=$(id -u)"; echo "user=$(id -un 2>/dev/null)"
echo "shell=$(readlink /proc/$$/exe 2>/dev/null)"
for f in /etc/os-release /usr/lib/os-release; do [ -r "$f" ] && break; done
while read -r l; do case $l in
  ID=*) echo "os_id=${l#*=}";; ID_LIKE=*) echo "os_like=${l#*=}";;
  VERSION_ID=*) echo "os_version=${l#*=}";; PRETTY_NAME=*) echo "os_name=${l#*=}";;
esac; done 2>/dev/null <"$f"
u=${SUDO_USER:-${DOAS_USER:-${USER:-$LOGNAME}}}; echo "login_user=$u"
if [ -r /etc/shadow ] && [ -n "$u" ]; then
  while IFS=: read -r k v w x y z q l f; do
    if [ "$k" = "$u" ]; then echo "aging=$w:$y:$q:$l"; break; fi
  done </etc/shadow
fi
s=$SSH_CONNECTION; p=$PPID; n=0
while [ -z "$s" ] && [ "${p:-0}" -gt 1 ] && [ $n -lt 8 ] && [ -r /proc/$p/environ ]; do
  s=$(tr '\000' '\n' </proc/$p/environ 2>/dev/null | sed -n 's/^SSH_CONNECTION=//p')
  q=0; while read -r k w; do [ "$k" = PPid: ] && q=$w && break; done </proc/$p/status
  p=$q; n=$((n+1))
done
set -f; set -- $s; echo "ssh_client=$1"; echo "ssh_server_address=$3"; echo "ssh_server_port=$4"
IFS=:; for t in $DRILL_TOOLS; do for d in $PATH; do case $d in
  /*) if [ -f "$d/$t" ] && [ -x "$d/$t" ]; then echo "tool.$t=${d%/}/$t"; break; fi;;
esac; done; done; unset IFS
while read -r v w; do
  case $v in Inter-*) ;; *:*) echo "interface=${v%%:*}";; esac
done </proc/net/dev
a=$(ip -o addr show scope global 2>/dev/null)
if [ -n "$a" ]; then
  IFS=$nl; for l in $a; do unset IFS; set -- $l; echo "address=${4%%/*}"; done; unset IFS
else
  for l in $(hostname -I 2>/dev/null); do echo "address=$l"; done
fi
b='^[[:space:]]*'; e='[[:space:]]*=/identity_raw=&/p'
sed -n -e "s/${b}nameserver/identity_raw=&/p" -e "s/${b}[Uu][Rr][Ii][[:space:]]/identity_raw=&/p" \
  -e "s/${b}HOST[[:space:]]/identity_raw=&/p" -e "s/${b}kdc$e" -e "s/${b}admin_server$e" \
  -e "s/${b}ldap_[a-z_]*uri$e" -e "s/${b}krb5_[a-z_]*server$e" -e "s/${b}ipa_[a-z_]*server$e" \
  -e "s/${b}ad_[a-z_]*server$e" /etc/resolv.conf /run/systemd/resolve/resolv.conf \
  /etc/ldap/ldap.conf /etc/krb5.conf /etc/sssd/sssd.conf /etc/nslcd.conf 2>/dev/null
if [ -e /etc/drill/deny ]; then
  if [ -r /etc/drill/deny ]; then
    echo deny=; while read -r l || [ -n "$l" ]; do echo "deny=${l%%#*}"; done </etc/drill/deny
  else
    echo deny=all
  fi
fi
if [ -e /run/drill/stop ]; then echo stop=1; else echo stop=0; fi
set +f; for d in /run/drill/* /var/lib/drill/*; do [ -d "$d" ] && echo "lease=${d##*/}"; done; set -f
IFS=$nl; for l in $(cat /proc/self/mounts 2>/dev/null); do case $l in
  *' / '*) r0=$l;; *' /var '*) r1=$l;; *' /var/lib '*) r2=$l;; *' /var/lib/drill '*) r3=$l;;
esac; done; unset IFS
m=; for l in "$r3" "$r2" "$r1" "$r0"; do [ -n "$l" ] && m=$l && break; done
set -- $m; case ,$4, in
  *,noexec,*|*,ro,*) echo exec_directory=;; *) echo exec_directory=/var/lib/drill/bin;;
esac
echo facts_end=1
)sh";

bool plain_name(std::string_view word) {
    return !word.empty() && word.size() <= 64 && word.front() != '-' && word.front() != '.' &&
           std::all_of(word.begin(), word.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '-' || c == '_' || c == '.' || c == '+';
           });
}

std::vector<std::string> words_of(std::string_view text) {
    std::vector<std::string> words;
    std::string word;
    for (const char c : text) {
        if (c == ' ' || c == '\t' || c == '\r') {
            if (!word.empty()) { words.push_back(std::move(word)); }
            word.clear();
        } else {
            word += c;
        }
    }
    if (!word.empty()) { words.push_back(std::move(word)); }
    return words;
}

/// The addresses in a line of resolv.conf, ldap.conf, krb5.conf, sssd.conf or nslcd.conf.
std::vector<std::string> addresses_in(std::string_view line) {
    std::string spaced(line);
    std::replace_if(
        spaced.begin(), spaced.end(), [](char c) { return c == ',' || c == '=' || c == '/'; }, ' ');
    std::vector<std::string> found;
    for (std::string word : words_of(spaced)) {
        if (const std::size_t zone = word.find('%'); zone != std::string::npos) {
            word.resize(zone);
        }
        if (word.starts_with('[')) {
            word = word.substr(
                1, word.find(']') == std::string::npos ? word.size() : word.find(']') - 1);
        } else if (std::count(word.begin(), word.end(), ':') == 1) {
            word.resize(word.find(':'));  // address:port
        }
        if (is_ip_address(word) && !is_loopback(word)) { found.push_back(word); }
    }
    return found;
}

bool is_lease_name(const std::string& name) {
    return name.size() == 12 && std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
           });
}

std::string joined(const std::set<std::string>& words) {
    std::string out;
    for (const std::string& word : words) { out += (out.empty() ? "" : " ") + word; }
    return out;
}

bool passing(std::string_view interface) {
    return std::any_of(passing_interfaces.begin(), passing_interfaces.end(),
                       [&](std::string_view prefix) { return interface.starts_with(prefix); });
}

/// The repeated keys of an answer, gathered to sorted lists.
struct Lists {
    std::set<std::string> addresses, interfaces, services, deny, leases;
    bool deny_file{false};

    /// False when `key` is no repeated key.
    bool take(std::string_view key, const std::string& value) {
        if (key == "address") {
            if (is_ip_address(value) && !is_loopback(value)) { add(addresses, value); }
        } else if (key == "interface") {
            if (value != "lo" && !value.empty()) { add(interfaces, value); }
        } else if (key == "identity_raw") {
            for (const std::string& address : addresses_in(value)) { add(services, address); }
        } else if (key == "deny") {
            deny_file = true;
            for (const std::string& word : words_of(value)) { add(deny, word); }
        } else if (key == "lease") {
            if (is_lease_name(value)) { add(leases, value); }
        } else {
            return false;
        }
        return true;
    }
    static void add(std::set<std::string>& list, const std::string& value) {
        if (list.size() < longest_list) { list.insert(value); }
    }
};

constexpr std::array<std::string_view, 18> single_keys{
    "aging",           "boot_id",    "exec_directory",
    "hostname",        "init",       "kernel",
    "login_user",      "machine_id", "os_id",
    "os_like",         "os_name",    "os_version",
    "shell",           "ssh_client", "ssh_server_address",
    "ssh_server_port", "stop",       "uid"};

/// os-release is a shell file: values may stand in quotes.
std::string unquoted(const std::string& value) {
    const bool quoted = value.size() >= 2 && value.front() == value.back() &&
                        (value.front() == '"' || value.front() == '\'');
    return quoted ? value.substr(1, value.size() - 2) : value;
}

bool is_single_key(std::string_view key) {
    return key == "user" || key == "uptime_cs" ||
           (key.starts_with(tool_prefix) && plain_name(key.substr(tool_prefix.size()))) ||
           std::find(single_keys.begin(), single_keys.end(), key) != single_keys.end();
}

bool all_digits(std::string_view text) {
    return !text.empty() && text.size() <= 15 &&
           std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
}

}  // namespace

bool is_ip_address(const std::string& text) {
    in6_addr buffer{};
    return inet_pton(AF_INET, text.c_str(), &buffer) == 1 ||
           inet_pton(AF_INET6, text.c_str(), &buffer) == 1;
}

bool is_loopback(const std::string& address) {
    return !is_ip_address(address) || address.starts_with("127.") || address == "::1";
}

Exec facts_question(std::span<const std::string> more_tools) {
    std::set<std::string> tools(usual_tools.begin(), usual_tools.end());
    for (const std::string& tool : more_tools) {
        if (plain_name(tool)) { tools.insert(tool); }
    }
    std::string list;
    for (const std::string& tool : tools) { list += (list.empty() ? "" : ":") + tool; }
    return Exec{{"sh", "-s"}, "DRILL_TOOLS=" + list + "\n" + std::string(script_head)};
}

Result<Facts> parse_facts(std::string_view out) {
    Facts facts;
    Lists lists;
    bool complete = false;
    for (const std::string& line : split(out, '\n')) {
        const std::size_t at = line.find('=');
        if (at == std::string::npos) { continue; }
        const std::string key = line.substr(0, at);
        const std::string value(trim(std::string_view(line).substr(at + 1, longest_value)));
        if (key == "facts_end") {
            complete = true;
        } else if (!lists.take(key, value) && is_single_key(key) && !value.empty()) {
            facts[key] = key.starts_with("os_") ? unquoted(value) : value;
        }
    }
    if (!complete) { return fail(Code::rejected, "the answer about facts is not complete"); }
    if (!facts.contains("boot_id")) { return fail(Code::rejected, "the boot id is not readable"); }
    if (!all_digits(fact(facts, "uptime_cs"))) {
        return fail(Code::rejected, "the time since boot is not readable");
    }
    facts["addresses"] = joined(lists.addresses);
    facts["interfaces"] = joined(lists.interfaces);
    facts["identity_services"] = joined(lists.services);
    facts["leases"] = joined(lists.leases);
    if (lists.deny_file) { facts["deny"] = joined(lists.deny); }
    std::erase_if(facts,
                  [](const auto& entry) { return entry.second.empty() && entry.first != "deny"; });
    return facts;
}

std::string fact(const Facts& facts, std::string_view name) {
    const auto found = facts.find(std::string(name));
    return found == facts.end() ? std::string() : found->second;
}

std::vector<std::string> fact_list(const Facts& facts, std::string_view name) {
    return words_of(fact(facts, name));
}

std::optional<Nanos> fact_uptime(const Facts& facts) {
    const std::string text = fact(facts, "uptime_cs");
    if (!all_digits(text)) { return std::nullopt; }
    return Nanos{std::stoll(text) * 10'000'000};
}

bool is_identity_fact(std::string_view name) noexcept {
    return name.starts_with(tool_prefix) ||
           std::any_of(identity_table.begin(), identity_table.end(),
                       [&](const Named& named) { return named.name == name; });
}

Facts identity_of(const Facts& facts, Part part, std::span<const std::string> tools,
                  const std::string& host_key) {
    Facts identity;
    const auto keep = [&](const std::string& name, const std::string& value) {
        if (!value.empty()) { identity[name] = value; }
    };
    for (const Named& named : identity_table) {
        if (named.use != Use::target || part == Part::target) {
            keep(std::string(named.name), fact(facts, named.name));
        }
    }
    keep("host_key", host_key);
    if (part == Part::target) {
        std::set<std::string> lasting;
        for (const std::string& name : fact_list(facts, "interfaces")) {
            if (!passing(name)) { lasting.insert(name); }
        }
        identity.erase("interfaces");
        keep("interfaces", joined(lasting));
        for (const std::string& tool : tools) {
            const std::string name = std::string(tool_prefix) + tool;
            keep(name, fact(facts, name));
        }
    }
    return identity;
}

std::vector<std::string> identity_differences(const Facts& planned, const Facts& now) {
    std::vector<std::string> lines;
    for (const auto& [name, value] : planned) {
        const std::string current = fact(now, name);
        if (current == value) { continue; }
        lines.push_back(name + " changed: " + escape_control(value, Lines::one) + " -> " +
                        (current.empty() ? "none" : escape_control(current, Lines::one)));
    }
    return lines;
}

}  // namespace drill
