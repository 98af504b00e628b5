# ---- How Microsoft Graph is asked: curl and jq, with the token of the variable GRAPH_TOKEN.

prepare() {
    for tool in curl jq; do
        command -v "$tool" >/dev/null || misused "$tool is not installed."
    done
    graph_address
    case ${GRAPH_TOKEN:-} in
    '') misused "GRAPH_TOKEN is not set: an access token for $CLOUD_GRAPH. $NEEDS" ;;
    *[!A-Za-z0-9._~+/=-]*) misused "GRAPH_TOKEN is no access token." ;;
    esac
}

find_tenant() { # sets FOUND; empty: Graph does not say
    FIELDS=id LIST=tenant
    ask "$GRAPH/v1.0/organization?\$select=id"
    FOUND=$(printf '%s\n' "$ANSWER" | sed -n '2s/^\["\(.*\)"\]$/\1/p')
}

request() { # request METHOD URL BODY: asks once; sets HTTP (000: no answer that says anything), ANSWER, RETRY_AFTER
    verb=$1 body=$3 ANSWER='' RETRY_AFTER=''
    set -- --request "$1" --url "$2"
    case $body in '' | -) ;; *) set -- "$@" --header 'Content-Type: application/json' --data "$body" ;; esac
    : >"$WORK/head"
    : >"$WORK/body"
    HTTP=$(
        printf 'header = "Authorization: Bearer %s"\n' "$GRAPH_TOKEN" | (
            trap '' INT TERM HUP # an interruption waits until the answer is there
            exec curl -q --config - --silent --show-error --globoff --connect-timeout 30 --max-time 120 \
                --proto "=$PROTOCOL" --noproxy 127.0.0.1 --dump-header "$WORK/head" --output "$WORK/body" \
                --write-out '%{http_code}' "$@"
        )
    ) || HTTP=000
    RETRY_AFTER=$(sed -n 's/^[Rr][Ee][Tt][Rr][Yy]-[Aa][Ff][Tt][Ee][Rr]: *\([0-9][0-9]*\)[0-9.]*[[:space:]]*$/\1/p' "$WORK/head" | tail -n 1)
    [ -z "$RETRY_AFTER" ] || RETRY_AFTER=$((${#RETRY_AFTER} > 4 ? 9999 : RETRY_AFTER + 1))
    case $verb:$HTTP in
    GET:200) ANSWER=$(jq -a -c --arg fields "$FIELDS" --arg list "$LIST" "$SHAPE" "$WORK/body" 2>/dev/null) || HTTP=000 ;;
    *:404) jq -e '.error.code' "$WORK/body" >/dev/null 2>&1 || HTTP=000 ;;
    esac
}

# An object as a list of the fields that are compared; of a collection, the next page's address and then each object.
# shellcheck disable=SC2016 # $fields and $list are variables of jq
SHAPE='($fields / ",") as $names | if $list == "-" then [.[$names[]]] else .["@odata.nextLink"], (.value[] | [.[$names[]]]) end'
