# The envelope and the guard as they run on a target, in POSIX sh (dash, bash, busybox sh).
# core/transport/envelope.cpp puts values in front of the blocks that a phase needs, commands
# behind them, and the call of the phase at the very end: a script that was cut off does nothing.
# "#= names" opens a block and says who gets it: phases, "guard" (the file `guard` in the lease
# directory), "all" (every phase). Comment lines and indentation do not travel.
# Rules: no quotes that span lines, no comment behind code; built-ins where one will do; what the
# guard runs once it is armed must not fork; a state that matters is read from a file that was
# written whole before the first apply command, and is later only overwritten in place (1<>),
# which needs no free block. Next: envelope.hpp for the protocol, envelope.md for the reasons.
# Longer than 600 lines because the blocks share a dozen functions and are read as one program; only
# the blocks of its phase travel to a target.
# shellcheck shell=sh disable=SC2034,SC2154,SC2086,SC2317,SC2094,SC2015

#= all guard
# Sets now: CLOCK_BOOTTIME in centiseconds. Never the wall clock. A file that cannot be read gives
# 0 and no error: an arithmetic error would end the shell, and with it a firing guard.
clock() {
    now=
    { read -r now line <"$uptime_file"; } 2>/dev/null
    case $now in *[!0-9.]* | .* | *.*.*) now=0.00 ;; *.[0-9][0-9]) ;; *) now=0.00 ;; esac
    now=$((${now%.*} * 100 + 1${now#*.} - 100))
}
# PID: sets begun (start time) and group of a living process; fails when it is gone or a zombie.
started() {
    begun=
    { read -r line <"/proc/$1/stat"; } 2>/dev/null || return 1
    set -- ${line##*) }
    case $1 in Z | X | x) return 1 ;; esac
    group=$3 begun=${20}
}
# PID START: is that very process still there? A pid alone may have been given away again, and
# after a reboot the records of a durable lease mean nobody.
alive() {
    [ -z "$rebooted" ] && [ -n "$2" ] && started "$1" && [ "$begun" = "$2" ]
}
# Into the lease directory.
enter() {
    rebooted='' line=
    cd "$dir" 2>/dev/null || return 1
    { read -r line <boot_id; } 2>/dev/null
    [ "${line:-$boot}" = "$boot" ] || rebooted=1
}
# The tombstone: from now on no apply of this lease is let in. It lies beside the lease directory
# and stays when that is removed, until no apply can be on its way any more.
bury() {
    [ -s "$gone" ] && return
    until=$not_after
    [ "$until" != 0 ] || read -r until <"$dir/not_after" || until=0
    [ "$until" != 0 ] || until=$((now + 360000))
    echo "$until $boot" >"$gone"
} 2>/dev/null

#= apply rehearse rehearsed renew undo disarm sweep guard
# A hundredth of a second; where sleep knows whole seconds only, it counts as a hundred of them.
pause() {
    sleep 0.01 2>/dev/null || { sleep 1; count=$((count + 99)); }
}

#= undo disarm guard
# Adds to $kin every process below one of them, and those of process group $clan.
family() {
    before=
    while [ "$before" != "$kin" ]; do
        before=$kin
        for file in /proc/[0-9]*/stat; do
            { read -r line <"$file"; } 2>/dev/null || continue
            one=${line%% *}
            case " $kin $$ " in *" $one "*) continue ;; esac
            set -- ${line##*) }
            [ "$1" != Z ] || continue
            case " $kin " in
                *" $2 "*) kin="$kin $one" ;;
                *) [ "$3" != "$clan" ] || kin="$kin $one" ;;
            esac
        done
    done
}
# Is an apply of this lease at work? Sets kin to its shell and its present command.
applying() {
    kin='' clan=none answer=
    { read -r answer line <answer; read -r leader since <apply.pid; } 2>/dev/null
    [ "$answer" = pending ] || return 1
    if alive "$leader" "$since"; then
        kin=$leader
        [ "$group" != "$leader" ] || clan=$leader
    fi
    { read -r one since <cmd.pid; } 2>/dev/null
    if alive "$one" "$since"; then kin="$kin $one"; fi
    [ -n "$kin" ]
}
# wait|now: ends an apply that is still at work. The tombstone is there already, so either it
# sees that, or we see its pid. It is stopped first, so that no new command begins meanwhile.
# "now" is for the firing guard: no waiting, as that would fork. Fails when something survives.
end_apply() {
    applying || return 0
    started $$ && [ "$group" != "$clan" ] || clan=none
    case " $kin " in *" $$ "*) return 0 ;; esac
    leader=${kin%% *}
    kill -STOP "$leader"
    family
    if [ "$1" = now ]; then
        kill -KILL $kin
        return
    fi
    sign=TERM count=0
    while [ $count -lt 200 ]; do
        [ $count -lt 80 ] || sign=KILL
        family
        left=
        for one in $kin; do
            [ "$one" != "$leader" ] && started "$one" || continue
            kill -$sign "$one"
            left=1
        done
        [ -n "$left" ] || break
        count=$((count + 1))
        pause
    done
    kill -KILL "$leader"
    [ -z "$left" ]
} 2>/dev/null

#= apply rehearse rehearsed renew undo disarm sweep guard
# G: reads what generation G of the guard wrote about itself.
guard_state() {
    state='' main='' main_start='' timer='' timer_start='' deadline=0
    { read -r state main main_start timer timer_start deadline line <"guard.$1"; } 2>/dev/null
}
# G: ends that generation. 0: it will not fire and has not. 1: it has fired and is done.
# 2: something of it still lives.
stop_guard() {
    guard_state "$1" || return 0
    count=0
    if alive "$main" "$main_start"; then
        [ "$state" = fired ] || echo end 1<>"t.$1"
        while alive "$main" "$main_start"; do
            count=$((count + 1))
            [ $count -lt 600 ] || return 2
            pause
        done
    else
        for fifo in w?."$1"; do
            [ ! -p "$fifo" ] || echo no 1<>"$fifo"
        done
        [ "$state" != armed ] || printf ended 1<>"guard.$1"
    fi
    ! alive "$timer" "$timer_start" || kill "$timer"
    guard_state "$1"
    [ "$state" = ended ]
} 2>/dev/null
# Ends every generation: normally one, two when a renewal was cut off in between.
stop_guards() {
    worst=0
    for file in guard.[0-9]*; do
        [ -f "$file" ] || continue
        stop_guard "${file#guard.}" || [ $? = 1 ] || worst=2
    done
    return $worst
}

#= guard
# G: at most one generation of a lease fires, once. A full disk must not keep it from that: what
# counts is the exclusive creation, not the text, and where nothing can be created it fires.
claim() {
    won=
    set -C
    { { won=1; echo "$1"; } >fired; } 2>/dev/null
    set +C
    [ -z "$won" ] || return 0
    [ -e fired ] || return 0
    by=
    read -r by <fired
    [ "${by:-$1}" = "$1" ]
}
# The first of the firing: nothing in here may fork. An apply that still runs (stalled, or not
# yet begun) is ended before the undo, else it would leave a fault that nobody ends.
fire() {
    claim "$g" || return 1
    clock
    bury
    printf fired 1<>"guard.$g"
    echo "at $now" >>"guard.$g"
    end_apply now
    return 0
}
# K: holds undo K, blocked on its fifo. "go" comes from main. End of file means that main is dead
# and the timer over: it fires by itself. It holds the next one's fifo open, so the order stays.
worker() {
    exec 3<"w$1.$g"
    [ "$1" = "$n" ] || eval "exec 9>&$(($1 + 4))"
    exec 4<&- 5<&- 6<&- 7<&- 8<&-
    if read -r word <&3; then
        [ "$word" = go ] || exit 0
    else
        fire || exit 0
    fi
    exec 3<&-
    undo "$1"
}
# Ends the timer when the stop file is there, and after a suspend, in which the timer stands
# still. It forks, but the firing does not need it: at worst the timer runs to its end.
watch() {
    while sleep 1 && alive "$timer" "$timer_start"; do
        clock
        [ ! -e "$run/stop" ] && [ "$now" -le "$deadline" ] || kill "$timer"
    done
}
# WORD: tells every worker.
tell() {
    i=0
    while [ $i -lt $n ]; do
        i=$((i + 1))
        eval "echo $1 >&$((i + 3))"
    done
}
# G TTL: arms and then blocks in read. The timer holds the only write end of fifo t.G (its end,
# for whatever reason, is end of file: fire) and also the write ends of the workers' fifos.
guard_main() {
    g=$1
    { echo -1000 >/proc/self/oom_score_adj; } 2>/dev/null
    fifos="t.$g" i=0
    while [ $i -lt $n ]; do
        i=$((i + 1))
        fifos="$fifos w$i.$g"
    done
    mkfifo $fifos || exit 1
    i=0
    while [ $i -lt $n ]; do
        i=$((i + 1))
        eval "exec $((i + 3))<>w$i.$g"
    done
    i=0
    while [ $i -lt $n ]; do
        i=$((i + 1))
        worker $i &
        eval "p$i=$!"
    done
    clock
    deadline=$((now + $2 * 100))
    exec 9<>"t.$g"
    sleep "$2" >&9 9>&- &
    timer=$!
    exec 3<"t.$g" 9>&-
    started $$
    main_start=$begun
    started $timer
    timer_start=$begun
    { exec 3<&- 4<&- 5<&- 6<&- 7<&- 8<&-; watch; } &
    watcher=$!
    trap 'kill $timer' HUP INT TERM
    word=end
    if echo "armed $$ $main_start $timer $timer_start $deadline" >"guard.$g" && [ ! -e "$gone" ]; then
        read -r word <&3 || word=
    fi
    trap '' HUP INT TERM
    kill $watcher
    ! alive $timer "$timer_start" || kill $timer
    if [ "$word" = end ] || ! fire; then
        tell no
        printf ended 1<>"guard.$g"
        exit 0
    fi
    i=0
    while [ $i -lt $n ]; do
        i=$((i + 1))
        eval "echo go >&$((i + 3)); wait \$p$i"
        status=$?
        # A worker that somebody killed has lost its undo: the last resort is to fork.
        [ $status -le 128 ] || { (undo $i); status=$?; }
        echo "undo $i exit $status" >>"guard.$g"
    done
    [ ! -S /dev/log ] || logger -t drill -- "lease $lease: the guard has undone the $kind"
    exit 0
}
# For a person on the host, without the controller: sh <lease directory>/undo
by_hand() {
    echo "drill: lease $lease ($kind): $label"
    clock
    bury
    end_apply wait || echo 'drill: a command of the apply could not be ended'
    i=0 failed=
    while [ $i -lt $n ]; do
        i=$((i + 1))
        (undo $i)
        status=$?
        echo "drill: undo command $i of $n: exit $status"
        [ $status = 0 ] || failed=1
    done
    if [ -n "$failed" ]; then
        echo 'drill: not all of it worked; the guard, if it lives, tries again when its time is over'
        exit 1
    fi
    stop_guards || echo 'drill: a guard could not be ended'
    echo "drill: done; this directory stays for the controller, later remove it: rm -r $dir"
    exit 0
}
guard_file() {
    boot=
    { read -r boot <"$boot_file"; } 2>/dev/null
    enter || exit 1
    case $2 in main) guard_main "$3" "$4" ;; *) by_hand ;; esac
}

#= all
say() {
    printf 'drill: %s\n' "$*" >&2
}
# Commands are programs: a function or built-in of this shell never stands in for one.
launch() {
    if [ -n "$fed" ]; then
        { printf %s "$input" 2>/dev/null; } | (sign && exec "$@")
    else
        (sign && exec "$@") </dev/null
    fi
}
# Runs one command and closes its output with a line of the protocol. An apply keeps it in files
# instead: the answer is recorded before it is printed, and nothing that a command leaves running
# holds the connection open.
x() {
    k=$((k + 1))
    if [ -n "$keep" ]; then
        launch "$@" >"out.$k" 2>>err
        status=$?
        codes="$codes $status"
    else
        launch "$@"
        status=$?
        printf '\ndrill:%s:cmd:%s:%s\n' "$nonce" $k $status
    fi
    fed=
    return $status
}
# Removes tombstones that no apply can meet any more.
tidy() {
    for file in "$run"/*.gone; do
        [ -e "$file" ] || return 0
        one=${file##*/}
        one=${one%.gone}
        [ ! -d "$run/$one" ] && [ ! -d "$durable/$one" ] || continue
        until=0 since=
        read -r until since <"$file"
        [ "$since" = "$boot" ] && [ "$until" -ge "$now" ] && continue
        rm -f "$file"
        rmdir "$run"
    done
} 2>/dev/null
finish() {
    clock
    tidy
    boot=
    { read -r boot <"$boot_file"; } 2>/dev/null
    printf '\ndrill:%s:end:%s:%s:%s%s\n' "$nonce" "${1:-0}" "$boot" "$now" "$repeated"
    exit "${1:-0}"
}
begin() {
    exec </dev/null
    umask 077
    export PATH="$path${PATH:+:$PATH}" LC_ALL=C
    [ -z "$1" ] || export SSH_CONNECTION="$1"
    keep='' fed='' codes='' repeated='' failed='' k=0 gone=$run/$lease.gone boot=
    { read -r boot <"$boot_file"; } 2>/dev/null
    clock
    printf 'drill:%s:begin\n' "$nonce"
    cd /
    phase
    finish 0
}

#= ask renew undo read_back disarm rehearse rehearsed sweep
sign() {
    return 0
}

#= apply
# In the child, before it becomes the command: either whoever buries the lease finds this pid, or
# we find the tombstone.
sign() {
    read -r line </proc/self/stat || exit 125
    one=${line%% *}
    started "$one" && echo "$one $begun " 1<>cmd.pid || exit 125
    [ ! -e "$gone" ] || exit 125
}

#= apply rehearse renew
# G: starts that generation and waits, at most 3 s, until it is armed.
start_guard() {
    title=drill-$lease
    # KillMode=process: when main is killed, systemd must leave timer and workers alone.
    if [ ! -d /run/systemd/system ] || ! systemd-run --quiet --collect --unit="$title-$1" \
        -p KillMode=process -p OOMScoreAdjust=-1000 -p IgnoreSIGPIPE=no \
        $shell "$dir/guard" "$title" main "$1" "$ttl" </dev/null >/dev/null 2>&1; then
        (
            exec </dev/null >>log 2>&1 3<&- 4<&- 5<&- 6<&- 7<&- 8<&- 9<&-
            setsid $shell "$dir/guard" "$title" main "$1" "$ttl" &
        )
    fi
    count=0
    until guard_state "$1" && [ -n "$state" ]; do
        count=$((count + 1))
        [ $count -lt 300 ] || return 1
        pause
    done
    [ "$state" = armed ] && alive "$main" "$main_start"
}

#= apply rehearse
# The host's veto: kind names or "all", one per line. One that cannot be read is a veto too.
denied() {
    [ -e "$deny" ] || return 1
    [ -f "$deny" ] || return 0
    while read -r word line || [ -n "$word" ]; do
        [ -n "$word" ] || continue
        case $word in all | all[[:cntrl:]] | "$kind" | "$kind"[[:cntrl:]]) return 0 ;; esac
    done 2>/dev/null <"$deny" || return 0
    return 1
}
# Prints the recorded answer of each command.
answer() {
    k=0
    for status in $codes; do
        k=$((k + 1))
        [ ! -s "out.$k" ] || cat "out.$k"
        printf '\ndrill:%s:cmd:%s:%s\n' "$nonce" $k "$status"
    done
    [ ! -s err ] || cat err >&2
}
# An apply that came before: its answer, never a second one.
again() {
    enter || finish 37
    [ ! -e "$gone" ] || finish 33
    state='' leader='' since=
    { read -r state status codes <answer && read -r leader since <apply.pid; } 2>/dev/null
    if [ "$state" = 'done' ]; then
        repeated=:repeated
        result=$status
        answer
        finish "$result"
    fi
    ! alive "$leader" "$since" || finish 39
    say 'an earlier apply of this lease ended before it could record its answer'
    finish 40
}
# Nothing was applied: leave nothing behind.
refuse() {
    cd /
    rm -rf "$dir"
    rmdir "$run" 2>/dev/null
    finish "$1"
}
directory() {
    try=0
    until mkdir "$dir" 2>/dev/null; do
        [ ! -d "$dir" ] || again
        try=$((try + 1))
        [ $try -lt 3 ] || { say "cannot make $dir"; finish 37; }
        mkdir "$run" "$base" 2>/dev/null
    done
    [ -O "$base" ] && [ ! -L "$base" ] && [ -O "$dir" ] && [ -d "$run" ] && enter || refuse 37
}
# All that an undo needs lies on the target before the first command runs.
records() {
    started $$ &&
        echo pending >answer && echo "$$ $begun" >apply.pid && echo '0 0' >cmd.pid &&
        echo "$boot" >boot_id && echo "$not_after" >not_after && echo "$nonce" >nonce &&
        printf '%s\n' "$label" >label && echo "$kind" >kind && echo "$ttl" >ttl &&
        printf '' >log && printf '' >err &&
        printf %s "$guard_text" >guard && printf %s "$undo_text" >undo &&
        printf %s "$readme_text" >README
}
# The common way in of apply and rehearse: every check, the directory, the records.
admit() {
    [ -z "$want_boot" ] || [ "$boot" = "$want_boot" ] || finish 31
    [ ! -e "$gone" ] || finish 33
    [ ! -d "$dir" ] || again
    [ "$not_after" = 0 ] || [ "$now" -le "$not_after" ] || finish 32
    [ ! -e "$run/stop" ] || finish 34
    ! denied || finish 35
    directory
    records 2>/dev/null || { say "cannot write to $dir"; refuse 37; }
    [ "$base" = "$run" ] || sync "$dir" "$dir"/* 2>/dev/null || sync
    [ ! -S /dev/log ] || logger -t drill -- "lease $lease: $kind: $label" >/dev/null 2>&1 &
}
arm_guard() {
    [ $n -le 5 ] && [ $ttl -gt 0 ] && start_guard 1 && return
    # An undo overtook us, and the guard saw the tombstone.
    [ ! -e "$gone" ] || finish 33
    say 'the guard could not be armed'
    cat log >&2
    bury
    stop_guards
    refuse 36
}

#= apply
phase() {
    admit
    keep=1 result=40
    if arm; then
        [ ! -e "$gone" ] || finish 33
        # The guard counts its time from here, so "not_after + ttl" is a bound for the effect.
        clock
        [ "$not_after" = 0 ] || [ "$now" -le "$not_after" ] || refuse 32
        [ $n = 0 ] || arm_guard
        if commands; then result=0; fi
    fi
    echo "done $result$codes" 1<>answer
    answer
    finish $result
}

#= rehearse
phase() {
    admit
    arm_guard
    echo 'done 0' 1<>answer
}

#= rehearsed renew
# Sets newest to the youngest generation, 0 for none.
newest() {
    newest=0
    for file in guard.[0-9]*; do
        [ ! -f "$file" ] || [ "${file#guard.}" -lt $newest ] || newest=${file#guard.}
    done
    guard_state $newest
}
guarded() {
    alive "$main" "$main_start" && alive "$timer" "$timer_start"
}

#= rehearsed
phase() {
    enter || finish 38
    newest
    [ "$state" = armed ] && guarded || failed=36
    bury
    stop_guards || failed=43
    cd /
    rm -rf "$dir" || failed=43
    rmdir "$run" 2>/dev/null
    finish ${failed:-0}
}

#= renew
phase() {
    [ -z "$want_boot" ] || [ "$boot" = "$want_boot" ] || finish 31
    [ -d "$dir" ] || [ ! -e "$gone" ] || finish 33
    enter || finish 38
    newest
    [ ! -e fired ] && [ "$state" != fired ] || finish 41
    [ ! -e "$gone" ] || finish 33
    [ ! -e "$run/stop" ] || finish 34
    old=$newest
    if [ "$old" != 0 ]; then
        [ "$now" -le "$deadline" ] || finish 41
        guarded || finish 36
    fi
    commands || finish 41
    [ "$old" != 0 ] || finish 0
    new=$((old + 1))
    start_guard $new || { stop_guard $new; finish 36; }
    if stop_guard "$old"; then
        rm -f "guard.$old" "t.$old" w?."$old"
        finish 0
    fi
    stop_guard $new
    finish 41
}

#= undo disarm
# Losing the connection must not end it half-way.
trap '' HUP PIPE

#= undo
# Undos of one lease go one after the other, for 10 s at most: then they run side by side, which
# is no harm as each of them may be repeated.
turn() {
    count=0
    while { read -r leader since <undo.pid; } 2>/dev/null && alive "$leader" "$since"; do
        count=$((count + 1))
        [ $count -lt 1000 ] || break
        pause
    done
    started $$
    { echo "$$ $begun" >undo.pid; } 2>/dev/null
}
# A guard that is firing right now is let finish, for 6 s at most.
let_fire() {
    count=0
    for file in guard.[0-9]*; do
        guard_state "${file#guard.}"
        while [ "$state" = fired ] && alive "$main" "$main_start"; do
            count=$((count + 1))
            [ $count -lt 600 ] || return
            pause
        done
    done
}
# The guard stays armed until every undo command has worked: if this shell is killed, or one of
# them fails, the guard still tries. A lease that is not known here gets a tombstone and no
# directory: an undo that was held up on its way may come after the disarm, and nobody would
# remove what it makes.
phase() {
    mkdir "$run" "$base" 2>/dev/null
    bury
    [ -e "$gone" ] || { say 'cannot leave a tombstone'; failed=1; }
    if enter; then
        turn
        end_apply wait || { say 'a command of the apply could not be ended'; failed=1; }
        let_fire
    fi
    undo_commands
    if [ -z "$failed" ] && [ -d "$dir" ]; then
        stop_guards || { say 'a guard could not be ended'; failed=1; }
    fi
    read_back_commands
    [ ! -S /dev/log ] || logger -t drill -- "lease $lease: undo${failed:+ failed}" >/dev/null 2>&1
    finish ${failed:+42}
}

#= ask
phase() {
    commands
}

#= read_back
phase() {
    enter
    commands
}

#= disarm
# An apply of this lease may still be on its way: the tombstone outlives the directory.
phase() {
    mkdir "$run" 2>/dev/null
    bury
    if enter; then
        if applying; then
            say 'an apply is still at work'
            finish 43
        fi
        stop_guards || { say 'a guard could not be ended'; finish 43; }
    fi
    commands
    cd /
    rm -rf "$dir" || failed=1
    [ ! -e "$dir" ] || failed=1
    bury
    [ -e "$gone" ] || failed=1
    finish ${failed:+43}
}

#= sweep
# NAME FILE: one line "name=first line of the file".
line_of() {
    line=
    { read -r line <"$2"; } 2>/dev/null
    printf '%s=%s\n' "$1" "$line"
}
found() {
    for dir in "$run"/* "$durable"/*; do
        one=${dir##*/}
        case $one in bin | *[!a-z0-9]*) continue ;; esac
        [ -d "$dir" ] && [ ! -L "$dir" ] && enter || continue
        echo "lease=$one"
        echo "directory=$dir"
        for name in kind label boot_id not_after ttl answer; do line_of $name $name; done
        [ ! -e "$run/$one.gone" ] || echo tombstone=yes
        for file in guard.[0-9]*; do
            guard_state "${file#guard.}"
            [ -n "$state" ] || continue
            alive=no
            ! alive "$main" "$main_start" || alive=yes
            echo "guard=${file#guard.} $state $alive $deadline"
        done
    done
    nft list tables 2>/dev/null | while read -r line table; do
        case $table in *" drill_"*) echo "table=$table" ;; esac
    done
    [ ! -d /run/systemd/system ] ||
        systemctl list-units --plain --no-legend 'drill-*' 2>/dev/null | while read -r unit line; do
            case $line in *' active '*) echo "unit=$unit" ;; esac
        done
}
phase() {
    found
    cd /
    printf '\ndrill:%s:cmd:1:0\n' "$nonce"
}
