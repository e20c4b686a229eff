"""Point 9: what goes wrong is measured, logged and told to somebody."""

from __future__ import annotations

from collections.abc import Iterable

from policies import tokens
from policies.model import Resource, Stack
from policies.rule import FILLED, Found, ResourcePolicy, StackPolicy, includes, inputs, shown
from policies.workloads import containers

POINT = "monitoring"
ALARMS = (
    "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Best_Practice_Recommended_Alarms_AWS_Services.html"
)
DATABASE_METRICS = ("CPUUtilization", "FreeStorageSpace", "FreeableMemory")
EDGE_METRICS = ("HTTPCode_Target_5XX_Count", "HTTPCode_ELB_5XX_Count")

alarms_tell = ResourcePolicy(
    "alarms-tell-somebody",
    POINT,
    "high",
    "An alarm goes off and tells nobody. Set alarm_actions to the platform's topic.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html#cloudwatch-15",
    (tokens.ALARM,),
    inputs({"alarmActions": FILLED}),
)
alarms_on = ResourcePolicy(
    "alarms-on",
    POINT,
    "high",
    "An alarm's actions are switched off. Remove actions_enabled=False.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/cloudwatch-controls.html#cloudwatch-17",
    (tokens.ALARM,),
    lambda alarm: ["actionsEnabled is false"] if alarm.get("actionsEnabled") is False else [],
)


def _alarmed(stack: Stack, subjects: Iterable[Resource], metrics: Iterable[str], namespace: str) -> Iterable[Found]:
    watched = {each.get("metricName") for each in stack.of(tokens.ALARM) if each.get("namespace") == namespace}
    for subject in subjects:
        for metric in metrics:
            if metric not in watched:
                yield subject, f"no alarm watches {namespace} {metric}"


database_alarmed = StackPolicy(
    "database-alarmed",
    POINT,
    "high",
    "The database can run full or slow unnoticed. Add MetricAlarms on its CPU, storage and memory.",
    ALARMS,
    lambda stack: _alarmed(stack, stack.of(tokens.RDS_INSTANCE), DATABASE_METRICS, "AWS/RDS"),
)
edge_alarmed = StackPolicy(
    "edge-alarmed",
    POINT,
    "high",
    "Failing requests go unnoticed. Add MetricAlarms on the load balancer's 5xx counts.",
    ALARMS,
    lambda stack: _alarmed(stack, stack.of(tokens.LOAD_BALANCER), EDGE_METRICS, "AWS/ApplicationELB"),
)


def _subscribed(stack: Stack) -> Iterable[Found]:
    for topic in stack.of(tokens.TOPIC):
        if not any(stack.about(topic, tokens.TOPIC_SUBSCRIPTION, "topic")):
            yield topic, "nobody is subscribed; set aws.alarms.emails"


topic_subscribed = StackPolicy(
    "topic-subscribed",
    POINT,
    "high",
    "Alarms are sent to a topic that nobody reads. Add a subscription (aws.alarms.emails).",
    "https://docs.aws.amazon.com/sns/latest/dg/sns-create-subscribe-endpoint-to-topic.html",
    _subscribed,
)
cluster_logs = ResourcePolicy(
    "cluster-logs",
    POINT,
    "medium",
    "The cluster's control plane leaves no logs. Enable all five log types.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/eks-controls.html#eks-8",
    (tokens.EKS_CLUSTER,),
    inputs({"enabledClusterLogTypes": includes("api", "audit", "authenticator", "controllerManager", "scheduler")}),
)


def _flow_logged(stack: Stack) -> Iterable[Found]:
    for network in stack.of(tokens.VPC):
        if not any(each.get("trafficType") == "ALL" for each in stack.about(network, tokens.FLOW_LOG, "vpcId")):
            yield network, "has no FlowLog of all traffic"


flow_logged = StackPolicy(
    "network-flow-logged",
    POINT,
    "medium",
    "Nobody can tell who talked to whom. Add a FlowLog with traffic_type='ALL' to the VPC.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/ec2-controls.html#ec2-6",
    _flow_logged,
)
database_insights = ResourcePolicy(
    "database-insights",
    POINT,
    "low",
    "A slow database cannot be explained. Set performance_insights_enabled=True and monitoring_interval=60.",
    "https://docs.aws.amazon.com/securityhub/latest/userguide/rds-controls.html#rds-6",
    (tokens.RDS_INSTANCE,),
    inputs({"performanceInsightsEnabled": True}),
)


def _measured(resource: Resource) -> Iterable[str]:
    for container in containers(resource):
        if container.is_server and not container.env.get("MLOPS_MANAGEMENT_LISTEN"):
            yield f"MLOPS_MANAGEMENT_LISTEN of {container.name!r} is {shown(None)}; expected HOST:PORT for metrics"


server_measured = ResourcePolicy(
    "server-measured",
    POINT,
    "medium",
    "The tracking server answers no metric scrapes. Set tracking.management_port.",
    "https://prometheus.io/docs/introduction/overview/",
    tokens.WORKLOADS,
    _measured,
)

POLICIES = (
    alarms_tell,
    alarms_on,
    database_alarmed,
    edge_alarmed,
    topic_subscribed,
    cluster_logs,
    flow_logged,
    database_insights,
    server_measured,
)
