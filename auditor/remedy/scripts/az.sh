# ---- How Microsoft Graph is asked: the Azure CLI, as whoever is signed in to it.

prepare() {
    command -v az >/dev/null || misused "The Azure CLI (az) is not installed."
    graph_address
    case $PROTOCOL:${GRAPH_TOKEN:-} in
    http:) misused "A rehearsal needs the token of the simulator in GRAPH_TOKEN." ;;
    http:*[!A-Za-z0-9._~+/=-]*) misused "GRAPH_TOKEN is no access token." ;;
    esac
}

find_tenant() { # sets FOUND; empty: nobody is signed in
    HTTP='none, sign in with az login'
    FOUND=$(az account show --only-show-errors --query tenantId --output tsv </dev/null 2>/dev/null | tr -d '\r')
}

request() { # request METHOD URL BODY: asks once; sets HTTP (000: no answer that says anything), ANSWER, RETRY_AFTER
    verb=$1 body=$3 ANSWER='' RETRY_AFTER='' # the Azure CLI does not show how long Graph asks to wait
    shape="to_string([$FIELDS])"
    [ "$LIST" = - ] || shape="[[to_string(\"@odata.nextLink\")], value[].$shape][]"
    set -- rest --only-show-errors --output tsv --method "$1" --url "$2"
    [ "$verb" != GET ] || set -- "$@" --query "$shape"
    case $body in '' | -) ;; *) set -- "$@" --body "$body" ;; esac
    if [ "$PROTOCOL" = http ]; then
        printf 'Authorization=Bearer %s' "$GRAPH_TOKEN" | (
            trap '' INT TERM HUP # an interruption waits until the answer is there
            exec az "$@" --skip-authorization-header --headers @-
        ) >"$WORK/body" 2>"$WORK/error"
    else
        (
            trap '' INT TERM HUP
            exec az "$@" --resource "$CLOUD_GRAPH"
        ) >"$WORK/body" 2>"$WORK/error" </dev/null
    fi
    case $?:$verb in
    0:GET)
        HTTP=200 ANSWER=$(tr -d '\r' <"$WORK/body")
        [ -n "$ANSWER" ] || HTTP=000
        ;;
    0:POST) HTTP=201 ;; # the Azure CLI does not show which status of success it was: these are Graph's
    0:*) HTTP=204 ;;
    *) HTTP=$(status_in "$WORK/error") ;;
    esac
}

status_in() { # status_in FILE: the HTTP status of an error, which the Azure CLI gives by its name
    case $(sed -n 's/^ERROR: //p' "$1" | head -n 1) in
    'Not Found({"error"'*) echo 404 ;;
    'Bad Request('*) echo 400 ;;
    'Unauthorized('*) echo 401 ;;
    'Forbidden('*) echo 403 ;;
    'Method Not Allowed('*) echo 405 ;;
    'Conflict('*) echo 409 ;;
    'Too Many Requests('*) echo 429 ;;
    'Internal Server Error('*) echo 500 ;;
    'Bad Gateway('*) echo 502 ;;
    'Service Unavailable('*) echo 503 ;;
    'Gateway Timeout('*) echo 504 ;;
    *) echo 000 ;;
    esac
}
