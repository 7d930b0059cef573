#!/bin/sh
# The commands of a scheduler in one form, for profiles/generic/config.yaml.
#
#   scheduler.sh submit KIND THREADS MEMORY_MB MINUTES CARDS JOBSCRIPT    prints the job's id
#   scheduler.sh status KIND ID                                           running, success or failed
#   scheduler.sh cancel KIND ID
#
# KIND is sge, lsf or pbs. Queue, project and whatever else your site asks for go into
# SUBMIT_OPTIONS, an environment variable. Logs of the scheduler are written to logs/KIND.
set -eu
action=$1 kind=$2
shift 2
logs=logs/$kind

submit() { # threads, memory in MB of the whole job, minutes, graphics cards, script
    mkdir -p "$logs"
    cards=
    [ "$4" = 0 ] || case $kind in
    sge) cards="-l gpu=$4" ;; # sites name it otherwise: qconf -sc lists the names
    lsf) cards="-gpu num=$4" ;;
    pbs) cards=":ngpus=$4" ;;
    esac
    # Word splitting of cards and SUBMIT_OPTIONS is meant.
    # shellcheck disable=SC2086
    case $kind in
    sge) # counts memory by thread, and time in seconds
        qsub -terse -cwd -V -b n -pe smp "$1" -l "h_vmem=$((($2 + $1 - 1) / $1))M" \
            -l "h_rt=$(($3 * 60))" $cards -o "$logs" -e "$logs" ${SUBMIT_OPTIONS:-} "$5"
        ;;
    lsf)
        bsub -n "$1" -R "span[hosts=1] rusage[mem=$2]" -W "$3" $cards -o "$logs/%J.log" \
            ${SUBMIT_OPTIONS:-} sh "$5" | sed -n 's/^Job <\([0-9]*\)>.*/\1/p'
        ;;
    pbs)
        qsub -V -l "select=1:ncpus=$1:mem=$2mb$cards" -l "walltime=$(printf '%02d:%02d:00' \
            $(($3 / 60)) $(($3 % 60)))" -o "$logs" -e "$logs" ${SUBMIT_OPTIONS:-} "$5"
        ;;
    esac
}

# Each asks for a job that is alive, then for how it ended. What is in neither list has just ended,
# or the scheduler is too busy to say: asked again, and failed only when it stays unknown.
status_sge() {
    if state=$(qstat 2>/dev/null | awk -v id="$1" '$1 == id { print $5 }') && [ -n "$state" ]; then
        case $state in *E*) echo failed ;; *) echo running ;; esac
    elif ended=$(qacct -j "$1" 2>/dev/null); then
        printf '%s\n' "$ended" | awk '
            $1 == "failed" || $1 == "exit_status" { bad = bad || $2 != 0; seen = 1 }
            END { print (seen && !bad) ? "success" : "failed" }'
    fi
}

status_lsf() {
    case $(bjobs -a -noheader -o stat "$1" 2>/dev/null) in
    DONE) echo success ;;
    EXIT | ZOMBI) echo failed ;;
    PEND | RUN | PSUSP | USUSP | SSUSP | PROV | WAIT | UNKWN) echo running ;;
    esac
}

status_pbs() {
    qstat -x -f "$1" 2>/dev/null | awk -F' = ' '
        $1 ~ /job_state$/ { state = $2 }
        tolower($1) ~ /exit_status$/ { code = $2 }
        END {
            if (state == "F" || state == "C") print (code == "0") ? "success" : "failed"
            else if (state != "") print "running"
        }'
}

status() {
    for pause in 1 5 20 0; do
        found=$("status_$kind" "$1")
        [ -n "$found" ] && break
        sleep $((pause * ${STATUS_PAUSE:-1}))
    done
    echo "${found:-failed}"
}

cancel() {
    case $kind in
    lsf) bkill "$1" ;;
    *) qdel "$1" ;;
    esac
}

case $kind in
sge | lsf | pbs) ;;
*)
    echo "scheduler.sh knows sge, lsf and pbs, not $kind" >&2
    exit 2
    ;;
esac
"$action" "$@"
