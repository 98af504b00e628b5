# ---- From here on the same in every script: each change is looked at, made, verified and written down. ----

function Stop-Refused([string]$Why) {
    Write-Host "Refused: $Why"
    exit 4
}

function Get-Now {
    [DateTime]::UtcNow.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", [Globalization.CultureInfo]::InvariantCulture)
}

function Get-Plain($Value) { # what a tenant says, fit for a terminal
    "$Value" -replace '[^ -~]', '?'
}

# ---- The journal: one line of JSON before each write and one after it, on disk before anything else happens.

function Add-JournalLine([string]$Line) {
    $bytes = [Text.Encoding]::UTF8.GetBytes($Line + "`n")
    $script:File.Write($bytes, 0, $bytes.Length)
    $script:File.Flush($true)
}

function Read-Journal([string]$Path, [string]$For) {
    # Return what a journal says last of each change: open, done, failed or unverified.
    $last = @{}
    if (-not [IO.File]::Exists($Path)) { return $last }
    $text = [IO.File]::ReadAllText($Path)
    # What follows the last line end was cut by a crash.
    $whole = $text.Substring(0, $text.LastIndexOf("`n") + 1)
    foreach ($line in $whole.Split("`n")) {
        if (-not $line.Trim()) { continue }
        $said = $line | ConvertFrom-Json
        switch ($said.event) {
            'begin' {
                if ($said.approved_hash -cne $Approved -or $said.purpose -cne $For) {
                    Stop-Refused "the journal $Path belongs to another plan or to an undo; name another place."
                }
            }
            'intent' { $last["$($said.step) $($said.change)"] = 'open' }
            'result' {
                if ($said.outcome -cne 'refused') { $last["$($said.step) $($said.change)"] = $said.outcome }
            }
        }
    }
    $last
}

function Open-Journal([string]$Path) {
    # Take the journal for this run alone, and cut off a line that a crash left half written.
    try {
        $opened = [IO.File]::Open($Path, [IO.FileMode]::OpenOrCreate, [IO.FileAccess]::ReadWrite, [IO.FileShare]::Read)
    } catch {
        Stop-Refused "the journal $Path cannot be taken: somebody else is carrying this plan out, or it cannot be written."
    }
    $end = $opened.Length
    while ($end -gt 0) {
        $opened.Position = $end - 1
        if ($opened.ReadByte() -eq 10) { break }
        $end--
    }
    $opened.SetLength($end)
    $opened.Position = $end
    $opened
}

# ---- Reading: an object as one text of the fields that are compared, or "gone".

function Get-Field($Object, [string]$Name) {
    # A field that a line of JSON may leave out.
    if ($null -ne $Object -and $Object.PSObject.Properties.Name -contains $Name) { $Object.$Name }
}

function Join-Fields([string]$Write, $Object) {
    if ($null -eq $Object) { return 'gone' }
    switch -Wildcard ($Write) {
        '*-assignment' { $names = 'id', 'appRoleId', 'principalId', 'resourceId', 'principalType' }
        '*-grant' { $names = 'id', 'clientId', 'consentType', 'principalId', 'resourceId', 'scope' }
        default { $names = 'id', 'appId', 'accountEnabled' }
    }
    $values = foreach ($name in $names) {
        $value = Get-Field $Object $name
        # Scopes have no order.
        if ($name -ceq 'scope') { $value = ("$value".Split(' ') | Where-Object { $_ } | Sort-Object -Unique) -join ' ' }
        "$value"
    }
    $values -join '|'
}

function Get-Status($Problem) {
    # The HTTP status in an error of the Microsoft.Graph cmdlets; 0: it says none.
    $text = "$($Problem.ErrorDetails) $($Problem.Exception.Message)"
    if ($text -match 'Status: (\d{3})') { return [int]$Matches[1] }
    if ("$($Problem.FullyQualifiedErrorId)" -like 'Request_ResourceNotFound*') { return 404 }
    0
}

function Get-Object($Change) {
    # The object of a change as it is now; nothing where there is none.
    $side = $Change.doing.before
    if ($null -eq $side) { $side = $Change.doing.after }
    switch -Wildcard ($Change.write) {
        '*-assignment' {
            Get-MgServicePrincipalAppRoleAssignment -ServicePrincipalId $side.principalId -All -ErrorAction Stop |
                Where-Object { $_.AppRoleId -eq $side.appRoleId -and $_.ResourceId -eq $side.resourceId }
        }
        '*-grant' {
            if ($null -ne $Change.doing.before -and $side.id -cne '@ID@') {
                Get-MgOauth2PermissionGrant -OAuth2PermissionGrantId $side.id -ErrorAction Stop
            } else {
                $principal = Get-Field $side 'principalId'
                $filter = "clientId eq '$($side.clientId)' and consentType eq '$($side.consentType)'"
                if ($principal) { $filter += " and principalId eq '$principal'" }
                Get-MgOauth2PermissionGrant -Filter $filter -All -ErrorAction Stop |
                    Where-Object { $_.ResourceId -eq $side.resourceId }
            }
        }
        default {
            Get-MgServicePrincipal -ServicePrincipalId $side.id -Property 'id,appId,accountEnabled' -ErrorAction Stop
        }
    }
}

function Get-Seen($Change) {
    # How the object of a change stands: before, after, other or unread.
    $seen = @{ State = 'unread'; Found = ''; Id = ''; Status = 0 }
    try {
        $found = @(Get-Object $Change)
    } catch {
        $seen.Status = Get-Status $_
        if ($seen.Status -ne 404) { return $seen }
        $found = @()
    }
    $seen.State = 'other'
    if ($found.Count -gt 1) { return $seen }
    $object = $null
    if ($found.Count -eq 1) {
        $object = $found[0]
        $seen.Id = "$($object.Id)"
    }
    $seen.Found = Join-Fields $Change.write $object
    foreach ($name in 'before', 'after') {
        $wanted = Join-Fields $Change.write ($Change.doing.$name)
        # An id that is not known stands for any.
        $wanted = $wanted -creplace '^(@ID@)?\|', "$($seen.Id)|"
        if ($seen.Found -ceq $wanted) { $seen.State = $name; break }
    }
    $seen
}

function Wait-Settled($Change, [switch]$OnlyAfter) {
    # Read until two reads agree: that it is done, or one way or the other.
    $last = ''
    for ($read = 1; $read -le 14; $read++) {
        $seen = Get-Seen $Change
        if ($seen.State -eq $last -and $seen.State -ne 'unread' -and ($seen.State -eq 'after' -or -not $OnlyAfter)) {
            return $seen
        }
        $last = $seen.State
        Start-Sleep -Seconds ([Math]::Min(8, [Math]::Pow(2, $read - 1)))
    }
    $seen.State = 'unread'
    $seen
}

function Get-Why($Change, $Seen) {
    if ($Seen.State -eq 'unread') { return "it could not be read: HTTP $($Seen.Status)" }
    if ($Seen.Found -eq 'gone') { return 'it is gone' }
    if ($null -eq $Change.doing.before) { return 'somebody has granted it meanwhile' }
    'it has changed'
}

# ---- Writing.

function Send-Change($Change, [string]$Id) {
    # Write once; return the HTTP status, 0 where the answer says none.
    $before = $Change.doing.before
    $after = $Change.doing.after
    try {
        switch ($Change.write) {
            'delete-assignment' {
                $null = Remove-MgServicePrincipalAppRoleAssignedTo -ServicePrincipalId $before.resourceId -AppRoleAssignmentId $Id -Confirm:$false -ErrorAction Stop
            }
            'add-assignment' {
                $body = @{ principalId = $after.principalId; resourceId = $after.resourceId; appRoleId = $after.appRoleId }
                $null = New-MgServicePrincipalAppRoleAssignedTo -ServicePrincipalId $after.resourceId -BodyParameter $body -Confirm:$false -ErrorAction Stop
                return 201
            }
            'delete-grant' {
                $null = Remove-MgOauth2PermissionGrant -OAuth2PermissionGrantId $Id -Confirm:$false -ErrorAction Stop
            }
            'update-grant' {
                $null = Update-MgOauth2PermissionGrant -OAuth2PermissionGrantId $Id -BodyParameter @{ scope = $after.scope } -Confirm:$false -ErrorAction Stop
            }
            'add-grant' {
                $body = @{ clientId = $after.clientId; consentType = $after.consentType; resourceId = $after.resourceId }
                $body.scope = "$(Get-Field $after 'scope')"
                $principal = Get-Field $after 'principalId'
                if ($principal) { $body.principalId = $principal }
                $null = New-MgOauth2PermissionGrant -BodyParameter $body -Confirm:$false -ErrorAction Stop
                return 201
            }
            'update-service-principal' {
                $null = Update-MgServicePrincipal -ServicePrincipalId $Id -BodyParameter @{ accountEnabled = $after.accountEnabled } -Confirm:$false -ErrorAction Stop
            }
        }
    } catch {
        Write-Host "  $(Get-Plain $_.Exception.Message)"
        return (Get-Status $_)
    }
    204
}

function Complete-Change([string]$Outcome, [int]$Status, [string]$Id, [string]$Why) {
    # What became of a change.
    $line = '{"at":"' + (Get-Now) + '","change":' + $change.change + ',"event":"result","id":"' + $Id
    $line += '","outcome":"' + $Outcome + '","status":' + $Status + ',"step":"' + $change.step + '","why":"' + $Why + '"}'
    Add-JournalLine $line
    Write-Host "${place}: $($change.write): $Outcome $Why"
    if ($Outcome -ceq 'done') {
        if (-not $script:Outcome) { $script:Outcome = 'done' }
        return
    }
    $script:Outcome = $Outcome
    $script:Skip = $true
    if (-not $KeepGoing) { $script:Halt = $true }
}

function Invoke-Change($Change, [string]$Line, $Seen) {
    # Write; never again before the object was read after an answer that says neither yes nor no.
    Add-JournalLine ($Line.Replace('@AT@', (Get-Now)).Replace('@ID@', $Seen.Id))
    $status = 0
    $after = $Seen
    $lost = $Past["$($Change.step) $($Change.change)"] -in 'open', 'unverified'
    # The cmdlets wait and try again by themselves where Graph asks for it; this is for what they give up on.
    for ($try = 1; $try -le 8; $try++) {
        $script:Sent++
        $status = Send-Change $Change $Seen.Id
        $yes = ($status -ge 200 -and $status -lt 300) -or ($status -eq 404 -and $Change.write -like 'delete-*')
        $no = $status -ge 400 -and $status -lt 500 -and $status -ne 429
        # Where an answer was lost before, Graph may refuse because it was carried out then.
        $after = Wait-Settled $Change -OnlyAfter:($yes -or ($no -and $lost))
        if ($yes -or $no -or $after.State -cne 'before') { break }
        if ($status -ne 429) { $lost = $true }
        Start-Sleep -Seconds ([Math]::Min(60, [Math]::Pow(2, $try)))
        $after = Wait-Settled $Change
        if ($after.State -cne 'before') { break }
    }
    if ($after.State -ceq 'after') {
        $why = ''
        if ($status -lt 200 -or $status -ge 300) { $why = 'the answer did not say so; yet it is as wanted' }
        Complete-Change 'done' $status $after.Id $why
    } elseif ($after.State -ceq 'before' -and $status -ge 400 -and $status -lt 500 -and -not $lost) {
        Write-Host "  $Needs"
        Complete-Change 'failed' $status '' "Graph said no: HTTP $status"
    } else {
        Complete-Change 'unverified' $status '' (Get-Why $Change $after)
    }
}

# ---- The whole run: first every change is looked at, then they are made one by one.

function Test-Behind($Change) {
    # Whether nothing is to be done for this change.
    $key = "$($Change.step) $($Change.change)"
    if ($Past[$key] -ceq 'done') { return $true }
    $Purpose -ceq 'undo' -and -not $All -and $Removed[$key] -notin 'done', 'open', 'unverified'
}

function Test-MayBeSo($Change) {
    # Whether a change may be found made: by a run that was cut, or where an undo finds it so.
    $Purpose -ceq 'undo' -or $Past["$($Change.step) $($Change.change)"] -in 'open', 'unverified'
}

function Show-Difference($Change, $Seen) {
    Write-Host "  planned: $(Join-Fields $Change.write $Change.doing.before)"
    if ($Seen.State -cne 'unread') { Write-Host "  found:   $(Get-Plain $Seen.Found)" }
}

if ([DateTimeOffset]::UtcNow -ge [DateTimeOffset]::Parse($Expires, [Globalization.CultureInfo]::InvariantCulture)) {
    Stop-Refused 'the plan has expired. Read the tenant again: entra-audit revoke refresh'
}
$FirstWords | ForEach-Object { Write-Host $_ }
if ($Checks) {
    Write-Host 'First, by a person (no script can see whether it was done):'
    $own = @(Get-Content -LiteralPath $PSCommandPath | Where-Object { $_ -clike '# check first: *' })
    $own | ForEach-Object { Write-Host "  $($_.Substring(15))" }
}
$context = Get-MgContext
if ($null -eq $context) {
    Write-Host "Sign in first: $Connect"
    exit 2
}
if ($context.TenantId -ne $Tenant -or $context.Environment -ne $Environment) {
    Stop-Refused "this is the tenant $(Get-Plain $context.TenantId) in $(Get-Plain $context.Environment), and the plan is for $Tenant in $Environment."
}

$dry = -not $Commit -or $WhatIfPreference
$Journal = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Journal)
$Past = Read-Journal $Journal $Purpose
$Removed = @{}
if ($Purpose -ceq 'undo' -and -not $All) {
    $Revoked = $PSCmdlet.GetUnresolvedProviderPathFromPSPath($Revoked)
    if (-not [IO.File]::Exists($Revoked)) {
        Stop-Refused "there is no journal $Revoked that says what was removed; name it with -Revoked, or undo every step with -All."
    }
    $Removed = Read-Journal $Revoked $Planned
}

$drifted = @{}
$toDo = 0
$made = 0
foreach ($step in $Steps) {
    if ($drifted.Count -gt 0 -and -not $KeepGoing) { break }
    foreach ($line in $step.Changes -split "`r?`n") {
        $change = $line | ConvertFrom-Json
        if (Test-Behind $change) {
            if ($Past["$($change.step) $($change.change)"] -ceq 'done') { $made++ }
            continue
        }
        $toDo++
        $place = "Step $($step.Number), change $($change.change)"
        $seen = Get-Seen $change
        if ($seen.State -ceq 'before') {
            if ($dry) {
                Write-Host "${place}: would $($change.write): $($seen.Found) -> $(Join-Fields $change.write $change.doing.after)"
            }
        } elseif ($seen.State -ceq 'after' -and (Test-MayBeSo $change)) {
            if ($dry) { Write-Host "${place}: it is so already: $($seen.Found)" }
        } else {
            Write-Host "${place}: refused: $(Get-Why $change $seen)"
            Show-Difference $change $seen
            $drifted[$step.Id] = $true
            break
        }
    }
}
if ($drifted.Count -gt 0 -and ($dry -or -not $KeepGoing)) {
    Stop-Refused 'the tenant is not as the plan says, and nothing was written.'
}
if ($toDo -eq 0) {
    Write-Host "Nothing is left to do: $made changes were made before. Nothing was written."
    exit 0
}
if ($dry) {
    Write-Host "Dry run: $toDo changes were checked, $made were made before. Nothing was written. To write: -Commit"
    exit 0
}

$script:File = Open-Journal $Journal
$script:Sent = 0
$script:Halt = $false
$counts = @{ done = 0; refused = 0; failed = 0; unverified = 0 }
$ended = $false
try {
    Add-JournalLine ($Begin.Replace('@AT@', (Get-Now)))
    foreach ($step in $Steps) {
        if ($script:Halt) { break }
        $script:Outcome = ''
        $script:Skip = $false
        foreach ($line in $step.Changes -split "`r?`n") {
            if ($script:Skip) { break }
            $change = $line | ConvertFrom-Json
            $place = "Step $($step.Number), change $($change.change)"
            $last = $Past["$($change.step) $($change.change)"]
            if (Test-Behind $change) {
                if ($last -ceq 'done' -and -not $script:Outcome) { $script:Outcome = 'done' }
                continue
            }
            if ($drifted[$step.Id]) {
                Complete-Change 'refused' 0 '' 'an object of this step is not as planned'
                continue
            }
            $doubt = $last -in 'open', 'unverified'
            if ($doubt) { $seen = Wait-Settled $change } else { $seen = Get-Seen $change }
            if ($seen.State -ceq 'before') {
                if ($PSCmdlet.ShouldProcess($place, $change.write)) { Invoke-Change $change $line $seen } else { Complete-Change 'refused' 0 '' 'it was not confirmed' }
            } elseif ($seen.State -ceq 'after' -and (Test-MayBeSo $change)) {
                $why = 'it was so already; nothing was sent'
                if ($doubt) { $why = 'carried out by a run that was cut' }
                Complete-Change 'done' 0 $seen.Id $why
            } else {
                Show-Difference $change $seen
                $outcome = 'refused'
                if ($doubt) { $outcome = 'unverified' }
                Complete-Change $outcome 0 '' (Get-Why $change $seen)
            }
        }
        if ($script:Outcome) { $counts[$script:Outcome]++ }
    }
    $ended = $true
} finally {
    # Ctrl-C comes this way too.
    $flag = 'true'
    if ($ended) { $flag = 'false' }
    $line = '{"at":"' + (Get-Now) + '","done":' + $counts.done + ',"event":"end","failed":' + $counts.failed
    $line += ',"interrupted":' + $flag + ',"refused":' + $counts.refused + ',"unverified":' + $counts.unverified + '}'
    Add-JournalLine $line
    $script:File.Dispose()
}

Write-Host "Steps done: $($counts.done), refused: $($counts.refused), failed: $($counts.failed), unverified: $($counts.unverified). Journal: $Journal"
if ($script:Sent -gt 0) {
    $moment = [DateTime]::UtcNow
    $LastWords | ForEach-Object { Write-Host ($_ -f $moment.ToString('u'), $moment.AddMinutes(90).ToString('u')) }
}
if ($counts.failed + $counts.unverified -gt 0) { exit 5 }
if ($counts.refused -eq 0) { exit 0 }
if ($script:Sent + $counts.done -gt 0) { exit 5 }
exit 4
