"""Kubernetes: a CronJob under a service account that Entra ID trusts, with a volume for what stays."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from auditor.delivery.schedules import Schedule
from auditor.delivery.schedules.request import BY_CONFIGURATION, Request, in_yaml
from auditor.errors import UsageError

CONFIG = "/config/entra-audit.yaml"
DATA = "/data"
USER = 10001
"""Any number that is not root's; the image needs no such user."""
_MANIFEST = """\
# entra-audit {words}; written by `entra-audit schedule kubernetes`.
# The configuration is a ConfigMap of the same name:
#   kubectl create configmap {plain} --from-file=entra-audit.yaml
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {name}
  annotations: {annotations}
automountServiceAccountToken: false
---
apiVersion: v1
kind: PersistentVolumeClaim
metadata:
  name: {name}
spec:
  accessModes: [ReadWriteOnce]
  resources:
    requests:
      storage: 5Gi
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {name}
spec:
  schedule: "{cron}"
  timeZone: Etc/UTC
  concurrencyPolicy: Forbid
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 3
  jobTemplate:
    spec:
      # The program tries again by itself; a second pod would do it without waiting.
      backoffLimit: 0
      activeDeadlineSeconds: 21600
      template:
        metadata:
          labels:
            app.kubernetes.io/name: {name}
            azure.workload.identity/use: "true"
        spec:
          serviceAccountName: {name}
          automountServiceAccountToken: false
          restartPolicy: Never
          securityContext:
            runAsNonRoot: true
            runAsUser: {user}
            runAsGroup: {user}
            fsGroup: {user}
            # Once: the group's right to every file would open files that their owner alone may read.
            fsGroupChangePolicy: OnRootMismatch
            seccompProfile:
              type: RuntimeDefault
          containers:
            - name: watch
              image: {image}
              command: {command}
              args: {arguments}
              env:
                - name: HOME
                  value: /tmp
              securityContext:
                allowPrivilegeEscalation: false
                readOnlyRootFilesystem: true
                capabilities:
                  drop: [ALL]
              resources:
                requests:
                  cpu: 250m
                  memory: 512Mi
                limits:
                  memory: 2Gi
              volumeMounts:
                - name: config
                  mountPath: /config
                  readOnly: true
                - name: data
                  mountPath: /data
                - name: tmp
                  mountPath: /tmp
          volumes:
            - name: config
              configMap:
                name: {name}
            - name: data
              persistentVolumeClaim:
                claimName: {name}
            - name: tmp
              emptyDir: {{}}
"""


def render(request: Request) -> Mapping[str, bytes]:
    """Return the manifest: service account, claim of a volume, and CronJob.

    Raises:
        UsageError: a file does not lie in what is mounted.
    """
    require_inside(request, "--config", request.config, ("/config", DATA))
    require_kept(request)
    annotations = {"azure.workload.identity/client-id": request.client_id} if request.client_id else {}
    if request.tenant_id:
        annotations["azure.workload.identity/tenant-id"] = request.tenant_id
    program, *arguments = request.argv
    text = _MANIFEST.format(
        words=request.timetable.words,
        plain=request.name,
        name=in_yaml(request.name),
        annotations=in_yaml(annotations),
        cron=request.timetable.cron,
        image=in_yaml(request.image),
        user=USER,
        command=in_yaml([program]),
        # Kubernetes fills $(NAME) in where a variable has that name; two dollar signs are one.
        arguments=in_yaml([argument.replace("$", "$$") for argument in arguments]),
    )
    return {f"{request.name}.yaml": text.encode()}


def require_kept(request: Request) -> None:
    """Refuse a path that would be gone with the container.

    Raises:
        UsageError: it would.
    """
    if request.history == "default":
        raise UsageError(
            "In a container the history has to have a path.", where="--history", advice=f"Name {DATA}/history.db."
        )
    for option, path in (
        ("--reports", request.reports),
        ("--history", request.history_file),
        ("--log", request.log),
        ("--lock", request.lock),
        ("--notify-file", request.notify_file),
    ):
        require_inside(request, option, path, (DATA,))


def require_inside(request: Request, option: str, path: str, folders: tuple[str, ...]) -> None:
    """Refuse a path that lies in none of the folders that the container of a request has mounted.

    Raises:
        UsageError: it does not.
    """
    pure = PurePosixPath(path)
    if path and (".." in pure.parts or not any(pure.is_relative_to(folder) for folder in folders)):
        raise UsageError(
            f"The container of {request.name} has {' and '.join(folders)} alone.",
            where=option,
            advice=f"Name a path in {folders[0]}.",
        )


SCHEDULE = Schedule(
    name="kubernetes",
    help="A CronJob of Kubernetes, by workload identity.",
    auth=("workload-identity", BY_CONFIGURATION),
    program=("entra-audit",),
    config=CONFIG,
    reports=f"{DATA}/report",
    container=True,
    render=render,
)
