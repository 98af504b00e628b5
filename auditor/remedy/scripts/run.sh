# ---- From here on the same in every script: each change is looked at, made, verified and written down. ----

say() { printf '%s\n' "$*"; }
plain() { LC_ALL=C tr -cd '\040-\176'; } # what a tenant says, fit for a terminal
now() { date -u +%Y-%m-%dT%H:%M:%SZ; }

later() { # the time in 90 minutes; in words where date cannot tell
    seconds=$(($(date -u +%s) + 5400))
    date -u -d "@$seconds" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null || date -u -r "$seconds" +%Y-%m-%dT%H:%M:%SZ 2>/dev/null ||
        say "$(now) + 90 minutes"
}

checks_first() { # what a person ticks first: it stands in comments of this file alone
    [ -n "$CHECKS" ] || return 0
    say "First, by a person (no script can see whether it was done):"
    sed -n 's/^# check first: /  /p' -- "$0" 2>/dev/null || say "  the checks at the top of the script"
}

refuse() {
    say "Refused: $*" >&2
    exit 4
}

misused() {
    say "$*" >&2
    say "Usage: sh $0 [--commit] [--keep-going] [--journal FILE]$UNDO_USAGE" >&2
    exit 2
}

here() { # here FILE: a file name that no command takes for an option
    case $1 in
    -*) printf '%s\n' "./$1" ;;
    *) printf '%s\n' "$1" ;;
    esac
}

pause() { # pause FACTOR: waits, twice as long each time, up to eight times the first
    sleep "$((${PAUSE_SECONDS:-1} * $1))"
}

graph_address() { # sets GRAPH and PROTOCOL: the plan's cloud, or where GRAPH_URL leads
    GRAPH=${GRAPH_URL:-$CLOUD_GRAPH}
    case $GRAPH in
    https://*) PROTOCOL=https address=${GRAPH#https://} ;;
    http://127.0.0.1:*) PROTOCOL=http address=${GRAPH#http://127.0.0.1:} ;;
    *) misused "GRAPH_URL has to begin with https://, or with http://127.0.0.1: for a rehearsal." ;;
    esac
    case $PROTOCOL:$address in
    *: | http:*[!0-9]* | https:*[!A-Za-z0-9.:-]*) misused "GRAPH_URL is no address of the form https://HOST." ;;
    esac
}

# ---- The journal: one line of JSON before each write and one after it, on disk before anything else happens.

write_down() {
    if ! printf '%s\n' "$1" >>"$JOURNAL"; then
        say "Stopped: the journal $JOURNAL could not be written." >&2
        exit "$((SENT > 0 ? 5 : 4))"
    fi
    sync "$JOURNAL" 2>/dev/null || sync 2>/dev/null || :
}

earlier() { # earlier FILE: what a journal says last of this change: open, done, failed, unverified, or nothing
    [ -f "$1" ] || return 0
    awk -v step="\"step\":\"$STEP\"" -v change="\"change\":$CHANGE," '
        !/}$/ || !index($0, step) || !index($0, change) { next }
        index($0, "\"event\":\"intent\"") { last = "open" }
        index($0, "\"event\":\"result\"") && match($0, /"outcome":"[a-z]+"/) {
            said = substr($0, RSTART + 11, RLENGTH - 12)
            if (said != "refused") last = said
        }
        END { print last }' "$1"
}

belongs() { # belongs FILE PURPOSE: every run that a journal tells of carried this plan out, for that purpose
    awk -v plan="\"approved_hash\":\"$APPROVED\"" -v purpose="\"purpose\":\"$2\"" '
        index($0, "\"event\":\"begin\"") && !(index($0, plan) && index($0, purpose)) { other = 1 }
        END { exit other }' "$1"
}

open_journal() { # takes the journal for this run alone, and cuts off a line that a crash left half written
    if [ -f "$JOURNAL" ] && ! belongs "$JOURNAL" "$PURPOSE"; then
        refuse "the journal $JOURNAL belongs to another plan or to an undo; name another place with --journal."
    fi
    if command -v flock >/dev/null; then
        (: >>"$JOURNAL.lock") 2>/dev/null || refuse "the journal $JOURNAL cannot be written."
        exec 9>>"$JOURNAL.lock"
        flock -n 9 || refuse "somebody else is carrying this plan out right now."
    else
        mkdir "$JOURNAL.running" 2>/dev/null ||
            refuse "somebody else is carrying this plan out right now (if not, remove the folder $JOURNAL.running)."
        LOCKED=$JOURNAL.running
    fi
    if [ -s "$JOURNAL" ] && [ "$(tail -c 1 "$JOURNAL" | wc -l)" -eq 0 ]; then
        if ! { sed '$d' "$JOURNAL" >"$JOURNAL.new" && mv "$JOURNAL.new" "$JOURNAL"; }; then
            refuse "the last line of $JOURNAL was cut by a crash, and could not be taken off."
        fi
    fi
}

# ---- Reading: an object as one line of JSON, or "gone".

ask() { # ask URL: reads, and waits as long as Graph asks to; sets HTTP and ANSWER
    tries=1
    while :; do
        request GET "$1" ''
        case $HTTP in 000 | 429 | 5??) ;; *) return 0 ;; esac
        [ "$tries" -lt 6 ] || return 0
        wait_as_asked "$tries" || return 0
        tries=$((tries + 1))
    done
}

wait_as_asked() { # wait_as_asked TRY: fails where Graph asks for more than ten minutes
    case $RETRY_AFTER in
    '') pause "$((1 << ($1 < 4 ? $1 : 4)))" ;;
    ????* | 6[0-9][1-9] | 6[1-9]? | [7-9]??) return 1 ;;
    *) sleep "$RETRY_AFTER" ;;
    esac
}

look() { # sets FOUND; fails where Graph does not say
    case $WRITE in
    *-assignment) FIELDS=id,appRoleId,principalId,resourceId,principalType ;;
    *-grant) FIELDS=id,clientId,consentType,principalId,resourceId,scope ;;
    *) FIELDS=id,appId,accountEnabled ;;
    esac
    FOUND=gone url=$GRAPH/v1.0/$READ LIST=$MATCH
    if [ "$MATCH" = - ]; then
        ask "$url"
        case $HTTP in
        200) FOUND=$ANSWER ;;
        404) ;;
        *) return 1 ;;
        esac
        return 0
    fi
    while [ -n "$url" ]; do
        ask "$url"
        [ "$HTTP" != 404 ] || return 0
        [ "$HTTP" = 200 ] || return 1
        hit=$(printf '%s\n' "$ANSWER" | sed 1d | grep -F -e "$MATCH")
        case $FOUND:$hit in *:) ;; gone:*) FOUND=$hit ;; *) return 1 ;; esac
        next=$(printf '%s\n' "$ANSWER" | sed -n '1s/^"\(.*\)"$/\1/p')
        [ "$next" != "$url" ] || return 1
        case $next in '' | "$GRAPH"/v1.0/*) url=$next ;; *) return 1 ;; esac
    done
}

words() { printf '%s\n' "$1" | tr -d '"]' | tr ' ' '\n' | grep . | sort -u; }

is() { # is STATE: whether the object is so; an empty id stands for any, and scopes have no order
    [ "$FOUND" != "$1" ] || return 0
    [ "$FOUND" != gone ] && [ "$1" != gone ] || return 1
    wanted=$1
    case $wanted in '["",'*) wanted="${FOUND%%,*},${wanted#*,}" ;; esac
    [ "$FOUND" != "$wanted" ] || return 0
    case $WRITE in *-grant) ;; *) return 1 ;; esac
    [ "${FOUND%,*}" = "${wanted%,*}" ] && [ "$(words "${FOUND##*,}")" = "$(words "${wanted##*,}")" ]
}

see() { # sets SEEN: before, after, other or unread
    SEEN=unread
    look || return 0
    SEEN=other
    if is "$BEFORE"; then SEEN=before; elif is "$AFTER"; then SEEN=after; fi
}

settle() { # settle after|either: reads until two reads agree (that it is done, or one way or the other); sets SEEN
    reads=1 last=''
    while :; do
        see
        case $1:$last:$SEEN in *:after:after | either:before:before | either:other:other) return 0 ;; esac
        last=$SEEN
        [ "$reads" -lt 14 ] || break
        pause "$((1 << (reads < 4 ? reads - 1 : 3)))"
        reads=$((reads + 1))
    done
    SEEN=unread
}

why() { # what is to be said of an object that is not as planned
    case $SEEN:$FOUND:$BEFORE in
    unread:*) printf '%s' "it could not be read: HTTP $HTTP" ;;
    *:gone:*) printf '%s' 'it is gone' ;;
    *:gone) printf '%s' 'somebody has granted it meanwhile' ;;
    *) printf '%s' 'it has changed' ;;
    esac
}

show() {
    say "  planned: $BEFORE"
    [ "$SEEN" = unread ] || say "  found:   $(printf '%s' "$FOUND" | plain)"
}

object_id() {
    ID=''
    [ "$FOUND" = gone ] || ID=${FOUND#'["'}
    ID=${ID%%'"'*}
    case $ID in *[!A-Za-z0-9_-]*) ID='' ;; esac
}

# ---- The changes: first all of them are looked at, then they are made one by one.

step() { # step NUMBER ID apart|together: the changes of one step come on standard input, one a line
    NUMBER=$1 STEP=$2 TOGETHER=$3 SKIP='' OUTCOME=''
    [ -z "$HALT$INTERRUPTED" ] || return 0
    while IFS='|' read -r CHANGE WRITE READ MATCH BEFORE AFTER SEND BODY SAYS INTENT; do
        [ -z "$SKIP" ] || break
        if [ -n "$INTERRUPTED" ] && [ "$TOGETHER" = apart ]; then break; fi
        case $PASS in check) check ;; *) carry_out ;; esac </dev/null
    done
    case $OUTCOME in
    done) STEPS_DONE=$((STEPS_DONE + 1)) ;;
    refused) STEPS_REFUSED=$((STEPS_REFUSED + 1)) ;;
    failed) STEPS_FAILED=$((STEPS_FAILED + 1)) ;;
    unverified) STEPS_UNVERIFIED=$((STEPS_UNVERIFIED + 1)) ;;
    esac
}

behind() { # whether nothing is to be done for this change; sets LAST
    LAST=$(earlier "$JOURNAL")
    [ "$LAST" != 'done' ] || return 0
    if [ "$PURPOSE" != undo ] || [ -n "$ALL" ]; then return 1; fi
    case $(earlier "$REVOKED") in 'done' | open | unverified) return 1 ;; esac
}

may_be_so() { # whether a change may be found made: by a run that was cut, or where an undo finds it so
    case $PURPOSE:$LAST in undo:* | *:open | *:unverified) return 0 ;; esac
    return 1
}

check() { # looks at one change, and writes nothing
    if behind; then
        [ "$LAST" != 'done' ] || PAST=$((PAST + 1))
        return 0
    fi
    TO_DO=$((TO_DO + 1))
    see
    if [ "$SEEN" = before ]; then
        object_id
        [ -n "$COMMIT" ] || say "Step $NUMBER, change $CHANGE: would $SAYS (object: ${ID:-a new one})"
    elif [ "$SEEN" = after ] && may_be_so; then
        [ -n "$COMMIT" ] || say "Step $NUMBER, change $CHANGE: it is so already: $SAYS"
    else
        say "Step $NUMBER, change $CHANGE: refused: $SAYS: $(why)" >&2
        show >&2
        LEFT="$LEFT$STEP " DRIFTS=$((DRIFTS + 1)) SKIP=1
        [ -n "$KEEP_GOING" ] || HALT=1
    fi
}

carry_out() { # makes one change
    if behind; then
        [ "$LAST" != 'done' ] || OUTCOME=${OUTCOME:-done}
        return 0
    fi
    case $LEFT in *" $STEP "*)
        ended refused 0 '' 'an object of this step is not as planned'
        return 0
        ;;
    esac
    case $LAST in open | unverified) settle either ;; *) see ;; esac
    object_id
    if [ "$SEEN" = before ]; then
        make
    elif [ "$SEEN" = after ] && may_be_so; then
        case $LAST in
        open | unverified) ended 'done' 0 "$ID" 'carried out by a run that was cut' ;;
        *) ended 'done' 0 "$ID" 'it was so already; nothing was sent' ;;
        esac
    else
        show >&2
        case $LAST in
        open | unverified) ended unverified 0 '' "$(why)" ;;
        *) ended refused 0 '' "$(why)" ;;
        esac
    fi
}

make() { # writes; never again before the object was read after an answer that says neither yes nor no
    line=${INTENT%%@AT@*}$(now)${INTENT#*@AT@}
    case $line in *@ID@*) line=${line%%@ID@*}$ID${line#*@ID@} ;; esac
    case $WRITE in delete-*) method=DELETE ;; add-*) method=POST ;; *) method=PATCH ;; esac
    case $SEND in */) target=$SEND$ID ;; *) target=$SEND ;; esac
    write_down "$line"
    sent=1 lost=''
    case $LAST in open | unverified) lost=1 ;; esac
    while :; do
        SENT=$((SENT + 1))
        request "$method" "$GRAPH/v1.0/$target" "$BODY"
        status=$HTTP
        case $method:$status in
        *:2?? | DELETE:404) settle after && break ;;
        *:000 | *:429 | *:5??)
            [ "$status" = 429 ] || lost=1
            wait_as_asked "$sent" || sent=8
            settle either
            if [ "$SEEN" != before ] || [ "$sent" -ge 8 ]; then break; fi
            sent=$((sent + 1))
            ;;
        *)
            # Where an answer was lost before, Graph may refuse because it was carried out then.
            if [ -n "$lost" ]; then settle after; else settle either; fi
            break
            ;;
        esac
    done
    object_id
    [ "$status" != 000 ] || status=0
    case $SEEN:$status:$lost in
    after:2??:*) ended 'done' "$status" "$ID" '' ;;
    after:*) ended 'done' "$status" "$ID" 'the answer did not say so; yet it is as wanted' ;;
    before:4??:)
        say "  $NEEDS" >&2
        ended failed "$status" '' "Graph said no: HTTP $status"
        ;;
    *) ended unverified "$status" '' "$(why)" ;;
    esac
}

ended() { # ended OUTCOME STATUS ID WHY: what became of a change
    write_down "{\"at\":\"$(now)\",\"change\":$CHANGE,\"event\":\"result\",\"id\":\"$3\",\"outcome\":\"$1\",\"status\":$2,\"step\":\"$STEP\",\"why\":\"$4\"}"
    say "Step $NUMBER, change $CHANGE: $SAYS: $1${4:+: $4}"
    if [ "$1" = 'done' ]; then
        OUTCOME=${OUTCOME:-done}
        return 0
    fi
    OUTCOME=$1 SKIP=1
    [ -n "$KEEP_GOING" ] || HALT=1
}

# ---- The whole run.

main() {
    COMMIT='' KEEP_GOING='' ALL='' UNDO_USAGE=''
    JOURNAL=./$NAME.journal.jsonl REVOKED=$JOURNAL
    if [ "$PURPOSE" = undo ]; then
        JOURNAL=./$NAME.undo.journal.jsonl UNDO_USAGE=' [--revoked FILE | --all]'
    fi
    while [ "$#" -gt 0 ]; do
        case $PURPOSE:$1 in
        *:--commit) COMMIT=1 ;;
        *:--keep-going) KEEP_GOING=1 ;;
        undo:--all) ALL=1 ;;
        *:--journal | undo:--revoked)
            [ -n "${2-}" ] || misused "$1 needs a file."
            case $1 in --journal) JOURNAL=$(here "$2") ;; *) REVOKED=$(here "$2") ;; esac
            shift
            ;;
        *) misused "Unknown option: $(printf '%s' "$1" | plain)" ;;
        esac
        shift
    done
    case ${PAUSE_SECONDS:-1} in *[!0-9]* | ?????*) misused "PAUSE_SECONDS is no number of seconds." ;; esac
    umask 077
    HALT='' INTERRUPTED='' LOCKED='' LEFT=' ' PAST=0 TO_DO=0 DRIFTS=0 SENT=0
    WORK=$(mktemp -d) || refuse "no temporary folder could be made."
    trap 'rm -rf "$WORK"; [ -z "$LOCKED" ] || rmdir "$LOCKED"' EXIT
    trap 'INTERRUPTED=1' INT TERM HUP
    STEPS_DONE=0 STEPS_REFUSED=0 STEPS_FAILED=0 STEPS_UNVERIFIED=0
    before_all
    PASS=check
    changes
    after_check
    write_down "${BEGIN%%@AT@*}$(now)${BEGIN#*@AT@}"
    PASS=carry_out HALT=''
    STEPS_DONE=0
    changes
    after_all
}

before_all() { # refuses what may not be begun
    if [ "$(date -u +%Y%m%d%H%M%S)" -ge "$EXPIRES" ]; then
        refuse "the plan has expired. Read the tenant again: entra-audit revoke refresh"
    fi
    first_words
    checks_first
    if [ "$PURPOSE" = undo ] && [ -z "$ALL" ] && [ ! -f "$REVOKED" ]; then
        refuse "there is no journal $REVOKED that says what was removed; name it with --revoked, or undo every step with --all."
    fi
    if [ "$PURPOSE" = undo ] && [ -z "$ALL" ] && ! belongs "$REVOKED" "$PLANNED"; then
        refuse "the journal $REVOKED does not tell of this plan being carried out."
    fi
    prepare
    find_tenant
    [ -n "$FOUND" ] || refuse "it cannot be told which tenant this is (HTTP $HTTP)."
    if [ "$FOUND" != "$TENANT" ]; then
        refuse "this is the tenant $(printf '%s' "$FOUND" | plain), and the plan is for $TENANT."
    fi
    [ -z "$COMMIT" ] || open_journal
}

after_check() { # leaves unless something is to be written
    [ -z "$INTERRUPTED" ] || interrupted
    if [ "$DRIFTS" -gt 0 ] && { [ -z "$COMMIT" ] || [ -z "$KEEP_GOING" ]; }; then
        refuse "the tenant is not as the plan says, and nothing was written."
    fi
    if [ "$TO_DO" -eq 0 ]; then
        say "Nothing is left to do: $PAST changes were made before. Nothing was written."
        exit 0
    fi
    if [ -z "$COMMIT" ]; then
        say "Dry run: $TO_DO changes were checked, $PAST were made before. Nothing was written. To write: --commit"
        exit 0
    fi
}

interrupted() {
    say "Interrupted. Run it again: it goes on from the journal." >&2
    exit 130
}

after_all() { # says what became of it
    flag=false
    [ -z "$INTERRUPTED" ] || flag=true
    write_down "{\"at\":\"$(now)\",\"done\":$STEPS_DONE,\"event\":\"end\",\"failed\":$STEPS_FAILED,\"interrupted\":$flag,\"refused\":$STEPS_REFUSED,\"unverified\":$STEPS_UNVERIFIED}"
    say "Steps done: $STEPS_DONE, refused: $STEPS_REFUSED, failed: $STEPS_FAILED, unverified: $STEPS_UNVERIFIED. Journal: $JOURNAL"
    if [ "$SENT" -gt 0 ]; then last_words "$(now)" "$(later)"; fi
    [ -z "$INTERRUPTED" ] || interrupted
    if [ "$((STEPS_FAILED + STEPS_UNVERIFIED))" -gt 0 ]; then exit 5; fi
    [ "$STEPS_REFUSED" -gt 0 ] || exit 0
    exit "$((SENT + STEPS_DONE > 0 ? 5 : 4))"
}

main "$@"
