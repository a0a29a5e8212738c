// The question behind `drill doctor` and the parsing of its answer. What is asked is told line by
// line as `name=value`; every value is data. Must not: judge (ground.cpp does).
//
// Names, (*) = several times: version* "nft nftables v1.0.6", config* "NFT_NUMGEN=y",
// kernel_config, module*, modules, cgroup2, freezer, selinux, apparmor, sysctl* "panic_on_oom 0",
// watchdog* "watchdog0 active 60", process*, restart* "orders-app.service", sync "chrony Normal",
// sync_offset, nsswitch* "passwd: files sss", krb5, login_shell, home, home_fs, sshd*, audit*,
// run_writable, password_ends, account_ends, ground_end.
#include "base/text.hpp"
#include "plan/ground.hpp"

#include <algorithm>
#include <array>
#include <charconv>

namespace drill {

namespace {

constexpr std::size_t longest_value = 512;
constexpr std::size_t most_values = 256;  // of one name; bounds a hostile answer

constexpr std::array<std::string_view, 25> names{
    "account_ends",  "apparmor",      "audit",   "cgroup2",      "config",  "freezer", "home",
    "home_fs",       "kernel_config", "krb5",    "login_shell",  "module",  "modules", "nsswitch",
    "password_ends", "process",       "restart", "run_writable", "selinux", "sshd",    "sync",
    "sync_offset",   "sysctl",        "version", "watchdog"};

// Values that /proc/sys and /proc/self/mounts give are read by cat: dash and bash read byte by byte
// or seek back, which these files answer with an early end.
constexpr std::string_view script = R"sh(LC_ALL=C; export LC_ALL
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:$PATH; export PATH
has() { command -v "$1" >/dev/null 2>&1; }
nl='
'
line() { v=$("$@" 2>&1); v=${v%%"$nl"*}; }
k=; read -r k </proc/sys/kernel/osrelease
u=${SUDO_USER:-${DOAS_USER:-${USER:-$(id -un)}}}
has nft && line nft --version && echo "version=nft $v"
has tc && line tc -V && echo "version=tc $v"
has ip && line ip -V && echo "version=ip $v"
has systemctl && line systemctl --version && echo "version=systemd $v"
w='s/^(# )?CONFIG_(NF_TABLES|NF_TABLES_INET|NF_TABLES_NETDEV|NETFILTER_EGRESS|NFT_NUMGEN|NET_SCH_NETEM|NET_SCH_TBF|CGROUPS|CGROUP_FREEZER)(=| is )/config=\2 /p'
c=; for f in "/boot/config-$k" "/lib/modules/$k/config" "/usr/lib/modules/$k/config" "/lib/modules/$k/build/.config"; do
  [ -r "$f" ] && c=$f && break; done
if [ -n "$c" ]; then echo "kernel_config=$c"; sed -n -E "$w" "$c"
elif [ -r /proc/config.gz ] && has zcat; then echo kernel_config=/proc/config.gz
  zcat /proc/config.gz 2>/dev/null | sed -n -E "$w"; fi
for m in nf_tables nft_numgen sch_netem sch_tbf; do
  for f in "/sys/module/$m" "/lib/modules/$k/kernel/net/netfilter/$m".ko* "/lib/modules/$k/kernel/net/sched/$m".ko* \
    "/lib/modules/$k/extra/$m".ko* "/lib/modules/$k/extra/net/sched/$m".ko*; do
    [ -e "$f" ] && echo "module=$m" && break; done; done
[ -d "/lib/modules/$k" ] && echo modules=1
for f in /sys/fs/cgroup/cgroup.controllers /sys/fs/cgroup/unified/cgroup.controllers; do
  [ -e $f ] && echo "cgroup2=${f%/*}" && break; done
for f in /sys/fs/cgroup/*/cgroup.freeze /sys/fs/cgroup/unified/*/cgroup.freeze /sys/fs/cgroup/freezer/tasks; do
  [ -e "$f" ] && echo "freezer=${f%/*}" && break; done
[ -e /sys/fs/selinux/enforce ] && echo "selinux=$(cat /sys/fs/selinux/enforce)"
v=; { read -r v </sys/module/apparmor/parameters/enabled; } 2>/dev/null; echo "apparmor=$v"
set -- $(cd /proc/sys && cat kernel/panic_on_oops kernel/panic vm/panic_on_oom 2>/dev/null)
echo "sysctl=panic_on_oops $1"; echo "sysctl=panic $2"; echo "sysctl=panic_on_oom $3"
for f in /sys/class/watchdog/*; do [ -e "$f" ] || continue; v=unknown; w=
  { read -r v <"$f/state"; read -r w <"$f/timeout"; } 2>/dev/null; echo "watchdog=${f##*/} $v $w"; done
[ -d /sys/class/watchdog ] || for f in /dev/watchdog*; do [ -e "$f" ] && echo "watchdog=${f##*/} unknown"; done
s=' '
for l in $(cat /proc/[0-9]*/comm 2>/dev/null); do case $l in
  corosync|pacemakerd|pacemaker-*|keepalived|etcd|patroni|kubelet|sbd|watchdog|wd_keepalive|monit|repmgrd|pgpool|consul|\
  systemd-network*|NetworkManager|firewalld|puppet|chef-client|salt-minion|cf-execd|auditd|fapolicyd|\
  chronyd|ntpd|systemd-timesyn*|dockerd|containerd|supervisord|runit|runsvdir|nomad|mysqld|ceph-*|glusterd|stonithd|vrrp*)
  case $s in *" $l "*) ;; *) s="$s$l "; echo "process=$l";; esac;; esac; done
if [ -d /run/systemd/system ]; then
  for f in $(grep -sEl '^Restart=(always|on-)' /etc/systemd/system/*.service /etc/systemd/system/*.service.d/*.conf \
    /run/systemd/system/*.service /lib/systemd/system/*.service /usr/lib/systemd/system/*.service); do
    f=${f%.d/*}; f=${f##*/}; for c in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/unified; do
      if [ -d "$c/system.slice/$f" ]; then echo "restart=$f"; break; fi; done; done; fi
if has chronyc && case $s in *' chronyd '*) true;; *) false;; esac; then
  chronyc -n tracking 2>/dev/null | sed -n -e 's/^Leap status *: */sync=chrony /p' -e 's/^System time *: */sync_offset=/p'
elif [ -e /run/systemd/timesync/synchronized ]; then echo 'sync=timesyncd Normal'
elif has ntpq && case $s in *' ntpd '*) true;; *) false;; esac; then
  case $(ntpq -pn 2>/dev/null) in *'
*'*) echo 'sync=ntpd Normal';; *) echo 'sync=ntpd no peer chosen';; esac
elif [ -d /run/systemd/system ] && has timedatectl && has timeout; then
  echo "sync=timedatectl $(timeout 2 timedatectl show -p NTPSynchronized --value 2>/dev/null)"; fi
while read -r v w; do case $v in passwd:|group:|shadow:|hosts:|sudoers:) echo "nsswitch=$v $w";; esac
done 2>/dev/null </etc/nsswitch.conf
[ -e /etc/krb5.conf ] && echo krb5=1
h=; while IFS=: read -r v w x y z h q; do [ "$v" = "$u" ] && echo "login_shell=$q" && break; h=; done 2>/dev/null </etc/passwd
[ -n "$h" ] || h=$HOME; echo "home=$h"
t=; b=; IFS=$nl; for l in $(cat /proc/self/mounts 2>/dev/null); do unset IFS; set -f; set -- $l; set +f
  v=${2%/}; case $h/ in "$v"/*) [ ${#2} -ge ${#b} ] && b=$2 && t=$3;; esac; done; unset IFS; echo "home_fs=$t"
sed -n -E 's/^[[:space:]]*(AuthorizedKeysCommand|GSSAPIAuthentication|UsePAM|KerberosAuthentication|UseDNS|ClientAliveInterval)[[:space:]]+/sshd=\1 /p' \
  /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*.conf 2>/dev/null
sed -n -E -e 's/^[[:space:]]*((disk_full|disk_error|space_left|admin_space_left)_action)[[:space:]]*=[[:space:]]*/audit=\1 /p' \
  -e 's/^[[:space:]]*-f[[:space:]]+2.*/audit=failure panic/p' /etc/audit/auditd.conf /etc/audit/audit.rules 2>/dev/null
if [ -w /run ]; then echo run_writable=1; else echo run_writable=0; fi
if ! [ -r /etc/shadow ] && has chage; then
  chage -l "$u" 2>/dev/null </dev/null | sed -n -e 's/^Password expires[^:]*: */password_ends=/p' -e 's/^Account expires[^:]*: */account_ends=/p'; fi
echo "ground_end=$(date +%s.%N)"
)sh";

}  // namespace

Exec wall_question() { return {.argv = {"date", "+%s.%N"}, .input = ""}; }

Exec ground_question() { return {.argv = {"sh", "-s"}, .input = std::string(script)}; }

Result<GroundAnswer> parse_ground(std::string_view out) {
    GroundAnswer answer;
    bool complete = false;
    for (const std::string& line : split(out, '\n')) {
        const std::size_t at = line.find('=');
        if (at == std::string::npos) { continue; }
        const std::string key = line.substr(0, at);
        const std::string value(trim(std::string_view(line).substr(at + 1, longest_value)));
        if (key == "ground_end") {
            answer[key] = {value};
            complete = true;
            continue;
        }
        if (std::find(names.begin(), names.end(), key) == names.end() || value.empty()) {
            continue;
        }
        std::vector<std::string>& values = answer[key];
        const bool known = std::find(values.begin(), values.end(), value) != values.end();
        if (!known && values.size() < most_values) { values.push_back(value); }
    }
    if (!complete) { return fail(Code::rejected, "the answer about the ground is not complete"); }
    return answer;
}

std::optional<WallReading> parse_wall(std::string_view text) {
    const std::string_view all = trim(text);
    const std::size_t dot = all.find('.');
    std::int64_t seconds = 0;
    const std::string_view whole = all.substr(0, dot);
    const auto [end, bad] = std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
    constexpr std::int64_t most = 9'000'000'000;  // in ns this still fits 64 bits
    if (bad != std::errc{} || end != whole.data() + whole.size() || seconds < 0 || seconds > most) {
        return std::nullopt;
    }
    WallReading reading{std::chrono::seconds{seconds}, std::chrono::seconds{1}};
    if (dot == std::string_view::npos) { return reading; }
    const std::string_view part = all.substr(dot + 1);
    std::int64_t nanos = 0;
    const auto [stop, wrong] = std::from_chars(part.data(), part.data() + part.size(), nanos);
    const bool exact = wrong == std::errc{} && part.size() == 9 && stop == part.data() + 9;
    if (exact) { reading = {std::chrono::seconds{seconds} + Nanos{nanos}, Nanos{1}}; }
    return reading;
}

ClockOffset clock_offset(WallReading begin, WallReading end, Nanos asked, Nanos received) {
    // The controller's time at `begin` was `asked` or later, at `end` it was `received` or earlier.
    return {.low = end.since_epoch - received, .high = begin.since_epoch + begin.grain - asked};
}

HostGround unreached(const Connection& connection, const Error& error) {
    HostGround out;
    out.host = connection.host;
    out.address = connection.transport == "local"
                      ? ""
                      : connection.address +
                            (connection.port == 0 ? "" : ":" + std::to_string(connection.port));
    std::string fix;
    switch (error.code) {
        case Code::unreachable:
        case Code::timed_out:
            fix = "is it on, is its address right, does a firewall let us in?";
            break;
        case Code::host_key:
            fix = "`drill trust " + connection.host + "` shows its key and asks";
            break;
        case Code::auth_failed:
            fix = error.message.find("sudo ") != std::string::npos
                      ? "correct what become_password of this host points to"
                      : "put the public key into authorized_keys there";
            break;
        case Code::refused:
        case Code::invalid:
        case Code::cancelled:
        case Code::rejected:
        case Code::busy:
        case Code::no_space:
        case Code::newer:
        case Code::not_found:
        case Code::internal: break;
    }
    out.remarks.push_back(
        {Concern::trouble, "reach", escape_control(error.text(), Lines::one), fix});
    return out;
}

}  // namespace drill
