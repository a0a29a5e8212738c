// See holder.hpp. All scripts need a POSIX shell; the push also base64, sha256sum, mkdir, mv and
// chmod, the questions df, id and stat. Undo and read-back are builtins only.
#include "faults/parts/holder.hpp"

#include "base/text.hpp"
#include "faults/parts/processes.hpp"
#include "faults/parts/values.hpp"
#include "holder/program.hpp"

#include <algorithm>
#include <cmath>

namespace drill::faults {

namespace {

/// The apply may wait this long until all is taken; the last lease ends so much later.
constexpr Nanos apply_slack = std::chrono::seconds{10};
constexpr Nanos centisecond = std::chrono::milliseconds{10};

// A program that is there is believed only by its sum. Two pushes at once write two files, and the
// rename of the second replaces the same bytes. A file system with noexec shows in the trial.
constexpr std::string_view push = R"sh(
folder=$1 sum=$2
good() {
    [ -f "$1" ] && [ ! -L "$1" ] && [ -O "$1" ] && line=$(sha256sum <"$1") &&
        [ "${line%% *}" = "$sum" ]
}
runs() {
    "$1" restore /proc/self/none && return
    echo "$1 cannot be run: is $folder on a file system with noexec, or under an allow list?" >&2
    return 1
}
if good "$folder/$sum" && [ -x "$folder/$sum" ]; then
    runs "$folder/$sum"
    exit
fi
mkdir -p "$folder"
if [ ! -O "$folder" ] || [ -L "$folder" ]; then
    echo "$folder cannot be made, or is not root's" >&2
    exit 1
fi
chmod 755 "$folder"
new=$folder/new.$$
trap 'rm -f "$new"' EXIT
if base64 -d >"$new" && chmod 755 "$new" && good "$new"; then
    mv -f "$new" "$folder/$sum" && runs "$folder/$sum"
    exit
fi
echo "the holder could not be written to $folder: is the file system full?" >&2
exit 1
)sh";

// A pid counts only with its start time. A process that sleeps in many threads is gone when its
// last thread is.
constexpr std::string_view look_at_holder = R"sh(
stage= keeper= worker= said=
{ read -r stage keeper worker said <"$directory/holder"; } 2>/dev/null
lives() {
    same "$1" || return 1
    case $state in
    Z | X | x)
        set -- "/proc/${1%:*}"/task/*
        [ $# -gt 1 ]
        ;;
    esac
}
)sh";

// Builtins only: the guard runs it when no process can be forked. It waits on the boot time, for
// as long as the kernel may need to give back much memory.
constexpr std::string_view end_holder = R"sh(
[ -n "$stage" ] || exit 0
{ echo yes 1<>"$directory/undone"; } 2>/dev/null
if same "$keeper"; then
    kill -s KILL -- "-${keeper%:*}" || kill -s KILL "${keeper%:*}"
fi
if same "$worker"; then kill -s KILL "${worker%:*}"; fi
now=0
{ read -r now line </proc/uptime; } 2>/dev/null
until=$((${now%.*} + 6))
while lives "$keeper" || lives "$worker"; do
    { read -r now line </proc/uptime; } 2>/dev/null
    [ "${now%.*}" -lt "$until" ] || exit 1
done
)sh";

// A limit of another process that still has our value is an effect of ours without its holder.
constexpr std::string_view read_holder = R"sh(
[ -n "$stage" ] || exit 0
undone=
{ read -r undone <"$directory/undone"; } 2>/dev/null
lowered=
while read -r pid start limit soft hard; do
    same "$pid:$start" || continue
    while read -r a b c now d; do
        if [ "$a $b $c" = "Max open files" ] && [ "$now" = "$limit" ]; then
            lowered="$lowered $pid"
        fi
    done 2>/dev/null <"/proc/$pid/limits"
done 2>/dev/null <"$directory/limits"
if lives "$keeper" || lives "$worker"; then
    if [ "$stage" = filling ] && [ -z "$said" ]; then said="nothing is taken yet"; fi
    if lives "$worker" && [ "$state" = T ]; then stage=stopped; fi
    echo "$said"
    [ "$stage" = full ] || exit 11
    exit 10
fi
if [ -n "$lowered" ]; then
    echo "the limit of open files is still lowered:$lowered"
    exit 11
fi
[ "$undone" != yes ] || exit 0
case $stage in
over) echo "$said" ;;
lost) echo "the holder is gone: $said" ;;
failed) echo "$said" ;;
*) echo "the holder is gone: ended by somebody else or by the kernel" ;;
esac
exit 12
)sh";

// The new time has as many digits as the old one, so that the write is one and needs no room.
constexpr std::string_view renew_holder = R"sh(
ttl=$2
if [ "$stage" = over ] || ! lives "$keeper" || ! lives "$worker"; then
    echo "the holder is gone" >&2
    exit 1
fi
read -r now line </proc/uptime && read -r old <"$directory/until" || exit 1
now=$((${now%.*} * 100 + 1${now#*.} - 100 + ttl))
while [ "${#now}" -lt "${#old}" ]; do now=0$now; done
echo "$now" 1<>"$directory/until"
)sh";

Exec holder_script(std::string_view text, std::vector<std::string> arguments) {
    return process_script("directory=$1" + std::string(look_at_holder) + std::string(text),
                          std::move(arguments));
}

std::string base64(std::string_view bytes) {
    static constexpr std::string_view letters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string text;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        std::uint32_t group = 0;
        for (std::size_t j = i; j < i + 3; ++j) {
            group = group << 8U | (j < bytes.size() ? static_cast<unsigned char>(bytes[j]) : 0U);
        }
        for (std::size_t j = 0; j < 4; ++j) {
            const bool padding = i + j > bytes.size();
            text += padding ? '=' : letters[group >> (18 - 6 * j) & 63U];
        }
        if (i % 57 == 54) { text += '\n'; }
    }
    return text + "\n";
}

// One line per fact. The mount of a path is the longest of /proc/mounts that it begins with; `df`
// says it for paths with links. Who keeps the way in open is found by walking up from this shell.
constexpr std::string_view questions = R"sh(
folder=$1 path=$2 cgroup=$3 user=$4
echo "machine $(uname -m)"
count=0
while read -r word line; do case $word in cpu[0-9]*) count=$((count + 1)) ;; esac; done </proc/stat
echo "processors $count"
mount=
while read -r line point type options line; do
    case $folder/ in "${point%/}"/*) [ ${#point} -lt ${#mount} ] || mount=$point found=$options ;; esac
done </proc/self/mounts
case ,$found, in *,noexec,*) echo "noexec $mount" ;; esac
where() {
    df -P -- "$1" 2>/dev/null | {
        read -r line
        read -r a b c d e point && echo "$point"
    }
}
if [ -n "$path" ] && [ -d "$path" ]; then
    mount=$(where "$path")
    echo "mount $mount"
    while read -r line point type line; do
        [ "$point" != "$mount" ] || kind=$type
    done </proc/self/mounts
    echo "type $kind"
    audit=/var/log/audit
    while read -r key line value; do
        if [ "$key" = log_file ] && [ "$line" = = ]; then audit=${value%/*}; fi
    done 2>/dev/null </etc/audit/auditd.conf
    sudo=
    for file in /etc/sudoers /etc/sudoers.d/*; do
        while read -r key line; do
            case $key$line in
            Defaults*logfile=*)
                sudo=${line#*logfile=}
                sudo=${sudo#\"}
                sudo=${sudo%%[\",]*}
                ;;
            esac
        done 2>/dev/null <"$file"
    done
    for kept in /run /run/drill /var/lib/drill /var/log "$audit" /var/log/sudo-io "$sudo" \
        "${DRILL_STATE:-}" "${HOME:-/root}/.local/state/drill"; do
        there=$kept
        case $kept in */drill) [ -e "$kept" ] || there=${kept%/*} ;; esac
        [ -n "$kept" ] && [ -e "$there" ] && [ "$(where "$there")" = "$mount" ] && echo "kept $kept"
    done
fi
if [ -n "$cgroup" ]; then
    for place in /sys/fs/cgroup /sys/fs/cgroup/*; do
        [ -f "$place/$cgroup/cgroup.procs" ] || continue
        echo "cgroup $place/$cgroup"
    done
    pid=$$
    depth=0
    while [ "$pid" -gt 1 ] && [ "$depth" -lt 64 ] && look "$pid"; do
        while read -r line; do
            case ${line#*:*:}/ in "/$cgroup/"*) echo "user this login" ;; esac
        done 2>/dev/null <"/proc/$pid/cgroup"
        pid=$ppid
        depth=$((depth + 1))
    done
    for place in /proc/[0-9]*; do
        look "${place##*/}" || continue
        case $comm in sshd* | dropbear) ;; *) continue ;; esac
        while read -r line; do
            case ${line#*:*:}/ in "/$cgroup/"*) echo "user $comm" ;; esac
        done 2>/dev/null <"$place/cgroup"
    done
fi
if [ -n "$user" ]; then
    uid=$(id -u -- "$user" 2>/dev/null) && echo "uid $uid"
    echo "login ${SUDO_UID:-0}"
fi
echo end
)sh";

void read_fact(HolderFacts& facts, std::string_view line) {
    const std::size_t blank = line.find(' ');
    if (blank == std::string_view::npos) { return; }
    const std::string_view key = line.substr(0, blank);
    const std::string value = escape_control(trim(line.substr(blank + 1)), Lines::one);
    const auto number = [&value]() -> std::int64_t {
        const bool plain = !value.empty() && value.size() < 12 &&
                           value.find_first_not_of("0123456789") == std::string::npos;
        return plain ? std::stoll(value) : -1;
    };
    if (key == "machine") { facts.machine = value; }
    if (key == "noexec") { facts.noexec = value; }
    if (key == "processors") { facts.processors = number(); }
    if (key == "mount") { facts.mount = value; }
    if (key == "type") { facts.type = value; }
    if (key == "kept") { facts.kept.push_back(value); }
    if (key == "cgroup") { facts.cgroups.push_back(value); }
    if (key == "user" && facts.cgroup_user.empty()) { facts.cgroup_user = value; }
    if (key == "uid") { facts.uid = number(); }
    if (key == "login") { facts.login_uid = number(); }
}

Error refuse(std::string message) { return fail(Code::refused, std::move(message)); }

bool plain_path(std::string_view path) {
    return !path.empty() && path.find_first_of(std::string_view("\n\0", 2)) == path.npos &&
           ("/" + std::string(path) + "/").find("/../") == std::string::npos;
}

}  // namespace

std::optional<std::int64_t> parse_size(std::string_view text) {
    const std::string_view all = trim(text);
    const std::size_t digits = std::min(all.find_first_not_of("0123456789."), all.size());
    const std::string_view unit = trim(all.substr(digits));
    static constexpr std::pair<std::string_view, double> units[] = {{"", 1},
                                                                    {"B", 1},
                                                                    {"KiB", 1024},
                                                                    {"MiB", 1048576},
                                                                    {"GiB", 1073741824},
                                                                    {"TiB", 1099511627776},
                                                                    {"kB", 1e3},
                                                                    {"KB", 1e3},
                                                                    {"MB", 1e6},
                                                                    {"GB", 1e9},
                                                                    {"TB", 1e12}};
    const auto* found = std::find_if(std::begin(units), std::end(units),
                                     [&](const auto& one) { return one.first == unit; });
    const std::string number(all.substr(0, digits));
    if (found == std::end(units) || number.empty() || number.size() > 15 ||
        std::count(number.begin(), number.end(), '.') > 1 || number.front() == '.' ||
        number.back() == '.') {
        return std::nullopt;
    }
    const double bytes = std::stod(number) * found->second;
    if (bytes > 9007199254740992.0) { return std::nullopt; }
    return std::llround(bytes);
}

std::string show_size(std::int64_t bytes) {
    static constexpr std::pair<std::string_view, std::int64_t> units[] = {
        {" TiB", 1099511627776}, {" GiB", 1073741824}, {" MiB", 1048576}, {" KiB", 1024}};
    for (const auto& [unit, size] : units) {
        if (bytes < size) { continue; }
        std::string text = std::to_string(bytes / size);
        const std::int64_t tenth = bytes % size * 10 / size;
        if (bytes < 100 * size && tenth > 0) { text += "." + std::to_string(tenth); }
        return text + std::string(unit);
    }
    return std::to_string(bytes) + " B";
}

Exec holder_observe(const HolderQuestion& question) {
    return process_script(
        questions, {std::string(program_folder), question.path, question.cgroup, question.user});
}

Result<HolderFacts> holder_facts(const ChangeRequest& request) {
    if (request.observed.empty() || request.observed.back().status != 0 ||
        !std::string_view(request.observed.back().out).ends_with("end\n")) {
        return refuse("what the holder needs on " + request.host + " could not be asked");
    }
    HolderFacts facts;
    for (const std::string& line : split(request.observed.back().out, '\n')) {
        read_fact(facts, line);
    }
    if (holder_program().bytes.empty()) {
        return refuse("this build of drill carries no holder; it is made for x86_64 only");
    }
    if (facts.machine != "x86_64") {
        return refuse(request.host + " is a " + facts.machine +
                      " machine; the holder is made for x86_64 only");
    }
    if (!facts.noexec.empty()) {
        return refuse("nothing may be run from " + std::string(program_folder) + " on " +
                      request.host + ": " + facts.noexec + " is mounted noexec; mount -o " +
                      "remount,exec " + facts.noexec + ", or mount a small file system with exec" +
                      " at " + std::string(program_folder));
    }
    return facts;
}

Result<std::vector<std::string>> holder_path(const ChangeRequest& request,
                                             const HolderFacts& facts) {
    const std::string path = text_of(request.params, "path");
    if (!plain_path(path) || path.front() != '/') {
        return refuse("`path` must be an absolute path of one line, without ..");
    }
    if (facts.mount.empty()) {
        return refuse("`path` " + path + " is no directory on " + request.host);
    }
    for (const std::string_view other : {"nfs", "nfs4", "cifs", "9p", "proc", "sysfs", "cgroup",
                                         "cgroup2", "devpts", "squashfs", "iso9660", "autofs"}) {
        if (facts.type == other) {
            return refuse("`path` " + path + " is on a file system of type " + facts.type +
                          "; only local ones that hold space of their own can be filled");
        }
    }
    const std::vector<std::string> allowed = texts_of(request.params, "allow");
    std::vector<std::string> kept;
    for (const std::string& one : facts.kept) {
        if (std::find(allowed.begin(), allowed.end(), one) == allowed.end()) {
            kept.push_back(one);
        }
    }
    if (!kept.empty()) {
        std::string names;
        for (const std::string& one : kept) {
            names += (names.empty() ? "\"" : ", \"") + one + "\"";
        }
        return refuse("the file system " + facts.mount + " also holds " + join(kept, ", ") +
                      " of " + request.host + ": logs of audit or sudo, or drill's own; choose" +
                      " another file system, or accept each by name: allow = [" + names + "]");
    }
    return std::vector<std::string>{"path=" + path};
}

Result<std::vector<std::string>> holder_amount(const ChangeRequest& request) {
    const Percent* share = value_of<Percent>(request.params, "percent");
    const std::string size = text_of(request.params, "size");
    if ((share == nullptr) == size.empty()) { return refuse("give one of `percent` and `size`"); }
    std::vector<std::string> options;
    if (share != nullptr) {
        options.push_back("ppm=" + std::to_string(share->ppm));
    } else {
        const std::optional<std::int64_t> bytes = parse_size(size);
        if (!bytes || *bytes <= 0) { return refuse("`size` is a size as \"512MiB\" or \"20GB\""); }
        options.push_back("size=" + std::to_string(*bytes));
    }
    const std::optional<std::int64_t> leave = parse_size(text_of(request.params, "leave"));
    if (!leave) { return refuse("`leave` is a size as \"256MiB\", or \"0\""); }
    options.push_back("leave=" + std::to_string(*leave));
    return options;
}

std::string holder_amount_words(const ChangeRequest& request) {
    const Percent* share = value_of<Percent>(request.params, "percent");
    if (share != nullptr) { return "until " + show_percent(share->ppm) + " are in use"; }
    return show_size(parse_size(text_of(request.params, "size")).value_or(0));
}

Result<std::vector<std::string>> holder_cgroup_option(const ChangeRequest& request,
                                                      const HolderFacts& facts,
                                                      std::string_view hierarchy) {
    const std::string cgroup = text_of(request.params, "cgroup");
    if (cgroup.empty()) { return std::vector<std::string>{}; }
    if (!plain_path(cgroup) || cgroup.front() == '/' || cgroup.back() == '/') {
        return refuse("`cgroup` is a path below /sys/fs/cgroup, as system.slice/orders.service");
    }
    if (!facts.cgroup_user.empty()) {
        return refuse("`cgroup` " + cgroup + " on " + request.host + " holds " + facts.cgroup_user +
                      ": the way in and the undo depend on it");
    }
    const std::string legacy = "/sys/fs/cgroup/" + std::string(hierarchy) + "/" + cgroup;
    const std::string unified = "/sys/fs/cgroup/" + cgroup;
    for (const std::string& place : {legacy, unified}) {
        if (std::find(facts.cgroups.begin(), facts.cgroups.end(), place) != facts.cgroups.end()) {
            return std::vector<std::string>{"cgroup=" + place};
        }
    }
    return refuse("there is no cgroup " + cgroup + " for " + std::string(hierarchy) + " on " +
                  request.host);
}

Change holder_change(const ChangeRequest& request, std::string_view kind,
                     const std::vector<std::string>& options) {
    const HolderProgram& holder = holder_program();
    const std::string program = std::string(program_folder) + "/" + std::string(holder.sha256);
    const std::string ttl = std::to_string(request.ttl / centisecond);
    Change change;
    change.arm = {script(push, {std::string(program_folder), std::string(holder.sha256)})};
    change.arm.front().input = base64(holder.bytes);
    change.apply = {{{program, "hold", std::string(kind), request.directory, ttl,
                      std::to_string((request.longest + apply_slack) / centisecond)},
                     {}}};
    change.apply.front().argv.insert(change.apply.front().argv.end(), options.begin(),
                                     options.end());
    change.renew = {holder_script(renew_holder, {request.directory, ttl})};
    change.undo = {holder_script(end_holder, {request.directory})};
    change.read_back = {holder_script(read_holder, {request.directory})};
    change.ending = Ending::holder;
    return change;
}

}  // namespace drill::faults
