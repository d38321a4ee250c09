import {
  analysisPhase,
  analysisRunArgument,
  analysisTemplateRef,
  dryRun,
  measurementRetention,
} from './analysis.ts'
import { condition, templateService } from './experiment.ts'
import {
  immutableLabelSelector,
  labelSelector,
  podMetadata,
  podTemplateSpec,
} from './pod-template.ts'
import {
  any,
  boolean,
  int32,
  int64,
  intOrString,
  list,
  map,
  object,
  optional,
  required,
  resource,
  string,
  type Typed,
  time,
  word,
} from './typed-schema.ts'

const analysisParts = {
  templates: optional(list(analysisTemplateRef), 'Templates whose metrics make one AnalysisRun.'),
  args: optional(list(analysisRunArgument), 'Arguments for the templates.'),
  dryRun: optional(dryRun, 'Metrics that are measured but decide nothing.'),
  measurementRetention: optional(measurementRetention, 'How many measurements to keep.'),
  analysisRunMetadata: optional(podMetadata, 'Labels and annotations of the run.'),
}

export const rolloutAnalysis = object(analysisParts)

export const backgroundAnalysis = object({
  ...analysisParts,
  startingStep: optional(
    int32,
    'Index of the step, counted from 0, at which the analysis starts. Absent: at once.',
  ),
  waitForCanaryReady: optional(
    boolean,
    'True: the analysis starts when a pod of the canary is available. Otherwise it may start before there is one to measure.',
  ),
})

const antiAffinity = object({
  preferredDuringSchedulingIgnoredDuringExecution: optional(
    object({ weight: required(int32, '1 to 100.') }),
    'Tries to keep the pods of two revisions on different nodes.',
  ),
  requiredDuringSchedulingIgnoredDuringExecution: optional(
    object({}),
    'Never puts pods of two revisions on one node.',
  ),
})

const stringMatch = object({
  exact: optional(string, 'The whole value.'),
  prefix: optional(string, 'How the value begins.'),
  regex: optional(string, 'A regular expression.'),
})

const experimentStepTemplate = object({
  name: required(string, 'Name, unique in the step.'),
  specRef: required(word('stable', 'canary'), 'stable or canary: whose pod template to take.'),
  replicas: optional(int32, 'Number of pods; 1 by default.'),
  metadata: optional(podMetadata, 'Labels and annotations to add to the pods.'),
  selector: optional(labelSelector, 'Replaces the selector of the Rollout.'),
  weight: optional(int32, 'Share of traffic, taken from the stable pods.'),
  service: optional(templateService, 'Creates a Service for the pods.'),
})

const experimentStepAnalysis = object({
  name: required(string, 'Name of this use of the template.'),
  templateName: required(string, 'Name of the template.'),
  clusterScope: optional(boolean, 'True: a ClusterAnalysisTemplate.'),
  args: optional(list(analysisRunArgument), 'Arguments for the template.'),
  requiredForCompletion: optional(
    boolean,
    'True: the experiment ends when all such analyses have succeeded.',
  ),
})

export const experimentStep = object({
  templates: required(list(experimentStepTemplate), 'Groups of pods to run side by side.'),
  duration: optional(string, 'Duration, counted from when all pods are available.'),
  analyses: optional(list(experimentStepAnalysis), 'Analyses that judge the experiment.'),
  dryRun: optional(dryRun, 'Metrics that are measured but decide nothing.'),
  analysisRunMetadata: optional(podMetadata, 'Labels and annotations of the runs.'),
  scaleDownDelaySeconds: optional(int32, 'Seconds the pods stay after the end.'),
  // Ours: last, so that steps without them keep their hash.
  progressDeadlineSeconds: optional(
    int32,
    'Seconds to become available. Absent: those of the Rollout.',
  ),
  measurementRetention: optional(measurementRetention, 'How many measurements to keep.'),
})

/** Field order is Go's declaration order; the step hash is made from it (spec api 8.6). */
export const canaryStep = object({
  setWeight: optional(int32, 'Share of traffic for the canary, 0 to maxTrafficWeight.'),
  pause: optional(
    object({
      duration: optional(
        intOrString,
        'Seconds, or a duration such as 10m. Absent: until somebody promotes.',
      ),
    }),
    'Waits.',
  ),
  experiment: optional(experimentStep, 'Runs an Experiment and waits for it.'),
  analysis: optional(rolloutAnalysis, 'Runs an analysis and waits for it.'),
  setCanaryScale: optional(
    object({
      weight: optional(int32, 'Per cent of spec.replicas.'),
      replicas: optional(int32, 'Number of pods; goes before weight.'),
      matchTrafficWeight: optional(boolean, 'True: follow the traffic weight again.'),
    }),
    'Sets the size of the canary apart from its traffic.',
  ),
  setHeaderRoute: optional(
    object({
      name: optional(string, 'Name of a route listed in managedRoutes.'),
      match: optional(
        list(
          object({
            headerName: required(string, 'Name of the header.'),
            headerValue: required(stringMatch, 'Which values match; exactly one kind of match.'),
          }),
        ),
        'Requests that match one of the entries go to the canary. Absent: removes the route.',
      ),
    }),
    'Sends requests with certain headers to the canary.',
  ),
  setMirrorRoute: optional(
    object({
      name: required(string, 'Name of a route listed in managedRoutes.'),
      match: optional(
        list(
          object({
            method: optional(stringMatch, 'HTTP method.'),
            path: optional(stringMatch, 'Path of the URL.'),
            headers: optional(map(stringMatch), 'Headers by name.'),
          }),
        ),
        'Which requests are copied. Absent: removes the route.',
      ),
      percentage: optional(int32, 'Per cent of the matching requests; 100 by default.'),
    }),
    'Copies requests to the canary, whose answers are thrown away.',
  ),
  plugin: optional(
    object({
      name: required(string, 'Name of the plugin.'),
      config: optional(any, 'Settings of the plugin.'),
    }),
    'Lets a plugin act.',
  ),
})

const istioVirtualService = object({
  name: required(string, 'Name, or NAME.NAMESPACE.'),
  routes: optional(list(string), 'Names of HTTP routes to change. Absent: the only one.'),
  tlsRoutes: optional(
    list(
      object({
        port: optional(int64, 'Port of the route.'),
        sniHosts: optional(list(string), 'Hosts of the route.'),
      }),
    ),
    'TLS routes to change.',
  ),
  tcpRoutes: optional(
    list(object({ port: optional(int64, 'Port of the route.') })),
    'TCP routes to change.',
  ),
})

const nameOnly = object({ name: required(string, 'Name of the object.') })

const gatewayRoutes = list(
  object({
    name: required(string, 'Name of the route.'),
    useHeaderRoutes: optional(boolean, 'True: header routes of steps are set there, too.'),
  }),
)

/** Also the settings of the plugin argoproj-labs/gatewayAPI (spec traffic-routing 6.1, 6.6). */
export const gatewayApi = object({
  httpRoute: optional(string, 'The HTTPRoute to change, header routes included.'),
  grpcRoute: optional(string, 'The GRPCRoute to change, header routes included.'),
  tcpRoute: optional(string, 'The TCPRoute to change.'),
  tlsRoute: optional(string, 'The TLSRoute to change.'),
  httpRoutes: optional(gatewayRoutes, 'HTTPRoutes to change.'),
  grpcRoutes: optional(gatewayRoutes, 'GRPCRoutes to change.'),
  tcpRoutes: optional(gatewayRoutes, 'TCPRoutes to change.'),
  tlsRoutes: optional(gatewayRoutes, 'TLSRoutes to change.'),
  udpRoutes: optional(gatewayRoutes, 'UDPRoutes to change.'),
  httpRouteSelector: optional(labelSelector, 'HTTPRoutes to change, by their labels.'),
  grpcRouteSelector: optional(labelSelector, 'GRPCRoutes to change, by their labels.'),
  tcpRouteSelector: optional(labelSelector, 'TCPRoutes to change, by their labels.'),
  tlsRouteSelector: optional(labelSelector, 'TLSRoutes to change, by their labels.'),
  namespace: optional(string, 'Namespace of all routes. Absent: that of the Rollout.'),
  disableInProgressLabel: optional(boolean, 'True: routes get no label while they are changed.'),
  inProgressLabelKey: optional(string, 'rollouts.argoproj.io/gatewayapi-canary by default.'),
  inProgressLabelValue: optional(string, 'in-progress by default.'),
  configMap: optional(string, 'Of versions of the plugin up to 0.12; nothing is kept there.'),
  mirror: optional(boolean, 'True: steps may copy requests of HTTPRoutes to the canary.'),
})

export const trafficRouting = object({
  istio: optional(
    object({
      virtualService: optional(istioVirtualService, 'The VirtualService to change.'),
      destinationRule: optional(
        object({
          name: required(string, 'Name of the DestinationRule.'),
          canarySubsetName: required(string, 'Subset that selects the canary pods.'),
          stableSubsetName: required(string, 'Subset that selects the stable pods.'),
          additionalSubsetNames: optional(list(string), 'Further subsets of the stable pods.'),
        }),
        'Splits by subsets instead of Services.',
      ),
      virtualServices: optional(list(istioVirtualService), 'Several VirtualServices to change.'),
    }),
    'Istio.',
  ),
  nginx: optional(
    object({
      annotationPrefix: optional(string, 'nginx.ingress.kubernetes.io by default.'),
      stableIngress: optional(string, 'The Ingress that serves the stable Service.'),
      additionalIngressAnnotations: optional(
        map(string),
        'Annotations of the canary Ingress, to which the prefix is added.',
      ),
      stableIngresses: optional(list(string), 'Several Ingresses that serve the stable Service.'),
      canaryIngressAnnotations: optional(
        map(string),
        'Annotations of the canary Ingress as they are.',
      ),
    }),
    'Ingress NGINX.',
  ),
  alb: optional(
    object({
      ingress: optional(string, 'The Ingress to change.'),
      servicePort: required(int32, 'Port of the Services.'),
      rootService: optional(string, 'Backend named in the Ingress. Absent: the stable Service.'),
      annotationPrefix: optional(string, 'alb.ingress.kubernetes.io by default.'),
      stickinessConfig: optional(
        object({
          enabled: required(boolean, 'Whether clients stay with their target group.'),
          durationSeconds: required(int64, 'For how long.'),
        }),
        'Keeps clients with their target group.',
      ),
      ingresses: optional(list(string), 'Several Ingresses to change.'),
    }),
    'AWS Application Load Balancer.',
  ),
  smi: optional(
    object({
      rootService: optional(string, 'Service that clients use. Absent: the stable Service.'),
      trafficSplitName: optional(string, 'Name of the TrafficSplit. Absent: that of the Rollout.'),
    }),
    'Service Mesh Interface.',
  ),
  ambassador: optional(
    object({ mappings: required(list(string), 'Mappings to copy; at least one.') }),
    'Ambassador, Emissary.',
  ),
  appMesh: optional(
    object({
      virtualService: optional(
        object({
          name: required(string, 'Name of the VirtualService.'),
          routes: optional(list(string), 'Names of routes to change.'),
        }),
        'The VirtualService to change.',
      ),
      virtualNodeGroup: optional(
        object({
          canaryVirtualNodeRef: required(nameOnly, 'Node of the canary.'),
          stableVirtualNodeRef: required(nameOnly, 'Node of the stable pods.'),
        }),
        'Targets of the routes.',
      ),
    }),
    'AWS App Mesh.',
  ),
  traefik: optional(
    object({
      weightedTraefikServiceName: required(string, 'Name of the weighted TraefikService.'),
    }),
    'Traefik.',
  ),
  managedRoutes: optional(
    list(object({ name: required(string, 'Name of the route.') })),
    'Routes that steps may set, the first going before the next.',
  ),
  apisix: optional(
    object({
      route: optional(
        object({
          name: required(string, 'Name of the ApisixRoute.'),
          rules: optional(list(string), 'Names of rules to change.'),
        }),
        'The ApisixRoute to change.',
      ),
    }),
    'Apache APISIX.',
  ),
  gatewayAPI: optional(
    gatewayApi,
    'Gateway API; argoproj-labs/gatewayAPI under plugins is the same.',
  ),
  plugins: optional(
    { node: { kind: 'any' } } as Typed<Readonly<Record<string, unknown>>>,
    'Settings by name of the plugin, such as argoproj-labs/gatewayAPI.',
  ),
  maxTrafficWeight: optional(int32, 'What all weights add up to; 100 by default.'),
})

export const canaryStrategy = object({
  canaryService: optional(string, 'Service that selects the canary pods.'),
  stableService: optional(string, 'Service that selects the stable pods.'),
  steps: optional(list(canaryStep), 'What to do, one after the other.'),
  trafficRouting: optional(trafficRouting, 'Who splits traffic. Absent: by number of pods.'),
  maxUnavailable: optional(intOrString, 'Pods that may be missing; 25% by default.'),
  maxSurge: optional(intOrString, 'Pods that may exist in addition; 25% by default.'),
  analysis: optional(backgroundAnalysis, 'Analysis that runs beside the steps.'),
  antiAffinity: optional(antiAffinity, 'Keeps pods of two revisions apart.'),
  canaryMetadata: optional(podMetadata, 'Labels and annotations of pods while they are canary.'),
  stableMetadata: optional(podMetadata, 'Labels and annotations of pods while they are stable.'),
  scaleDownDelaySeconds: optional(
    int32,
    'Seconds the former pods stay after promotion; 30 by default with traffic routing.',
  ),
  scaleDownDelayRevisionLimit: optional(int32, 'How many former revisions may wait like that.'),
  abortScaleDownDelaySeconds: optional(
    int32,
    'Seconds the canary stays after an abort; 30 by default with traffic routing, 0: for ever.',
  ),
  dynamicStableScale: optional(boolean, 'True: the stable pods become fewer as traffic leaves.'),
  pingPong: optional(
    object({
      pingService: required(string, 'One of the two Services.'),
      pongService: required(string, 'The other.'),
    }),
    'Two Services that swap roles instead of selectors.',
  ),
  minPodsPerReplicaSet: optional(int32, 'Least size of a ReplicaSet that is not empty.'),
  replicaProgressThreshold: optional(
    object({
      type: required(word('Percent', 'Pods'), 'Percent or Pods.'),
      value: required(int32, 'How many must be available for a step to go on.'),
    }),
    'Lets steps go on before all pods are available.',
  ),
})

export const blueGreenStrategy = object({
  activeService: required(string, 'Service with the live traffic.'),
  previewService: optional(string, 'Service that selects the new pods before the switch.'),
  previewReplicaCount: optional(int32, 'Pods before the switch; spec.replicas by default.'),
  autoPromotionEnabled: optional(boolean, 'False: wait until somebody promotes.'),
  autoPromotionSeconds: optional(int32, 'Seconds to wait before the switch.'),
  maxUnavailable: optional(intOrString, 'Pods that may be missing in a restart; 25% by default.'),
  scaleDownDelaySeconds: optional(int32, 'Seconds the former pods stay; 30 by default.'),
  scaleDownDelayRevisionLimit: optional(int32, 'How many former revisions may wait like that.'),
  prePromotionAnalysis: optional(rolloutAnalysis, 'Analysis before the switch.'),
  antiAffinity: optional(antiAffinity, 'Keeps pods of two revisions apart.'),
  postPromotionAnalysis: optional(rolloutAnalysis, 'Analysis after the switch.'),
  previewMetadata: optional(podMetadata, 'Labels and annotations of pods while in preview.'),
  activeMetadata: optional(podMetadata, 'Labels and annotations of pods while active.'),
  abortScaleDownDelaySeconds: optional(
    int32,
    'Seconds the preview stays after an abort; 30 by default, 0: for ever.',
  ),
})

export const rolloutSpec = object({
  replicas: optional(int32, 'Number of pods; 1 by default.'),
  selector: optional(immutableLabelSelector, 'Which pods belong to the Rollout.'),
  template: optional(podTemplateSpec, 'The pods. Empty with workloadRef.'),
  workloadRef: optional(
    object({
      apiVersion: optional(string, 'API of the workload, such as apps/v1.'),
      kind: optional(string, 'Deployment, ReplicaSet or PodTemplate.'),
      name: optional(string, 'Its name.'),
      scaleDown: optional(
        word('never', 'onsuccess', 'progressively'),
        'never, onsuccess or progressively: when the workload itself is scaled down.',
      ),
    }),
    'Takes the pod template from another object.',
  ),
  minReadySeconds: optional(int32, 'Seconds a pod must be ready to count as available.'),
  strategy: optional(
    object({
      blueGreen: optional(blueGreenStrategy, 'Switches from one full set of pods to another.'),
      canary: optional(canaryStrategy, 'Moves traffic in steps.'),
    }),
    'How to update; exactly one.',
  ),
  revisionHistoryLimit: optional(int32, 'Old ReplicaSets to keep; 10 by default.'),
  paused: optional(boolean, 'True: no step is taken.'),
  progressDeadlineSeconds: optional(
    int32,
    'Seconds without progress before the update counts as stuck; 600 by default.',
  ),
  progressDeadlineAbort: optional(boolean, 'True: a stuck update is aborted.'),
  restartAt: optional(time, 'Pods older than this are restarted.'),
  analysis: optional(
    object({
      successfulRunHistoryLimit: optional(int32, 'Successful ones to keep; 5 by default.'),
      unsuccessfulRunHistoryLimit: optional(int32, 'Others to keep; 5 by default.'),
    }),
    'How many finished AnalysisRuns and Experiments to keep.',
  ),
  rollbackWindow: optional(
    object({
      revisions: optional(int32, 'A return within so many revisions skips the steps.'),
    }),
    'When a return to an old revision is fast.',
  ),
})

export const runStatus = object({
  name: required(string, 'Name of the run.'),
  status: required(analysisPhase, 'Its phase.'),
  message: optional(string, 'Why it is in that phase.'),
})

const weightDestination = object({
  weight: required(int32, 'Share of traffic.'),
  serviceName: optional(string, 'Service that gets it.'),
  podTemplateHash: optional(string, 'Pods that get it.'),
})

const albResource = object({
  name: required(string, 'Name.'),
  arn: required(string, 'Amazon resource name.'),
  fullName: optional(string, 'Full name, as in CloudWatch.'),
})

const albStatus = object({
  loadBalancer: optional(albResource, 'The load balancer.'),
  canaryTargetGroup: optional(albResource, 'Target group of the canary.'),
  stableTargetGroup: optional(albResource, 'Target group of the stable pods.'),
  ingress: optional(string, 'Name of the Ingress.'),
})

export const pauseCondition = object({
  reason: required(
    string,
    'CanaryPauseStep, BlueGreenPause, InconclusiveAnalysisRun or InconclusiveExperiment.',
  ),
  startTime: required(time, 'Since when.'),
})

export const stepPluginStatus = object({
  index: required(int32, 'Index of the step.'),
  name: required(string, 'Name of the plugin.'),
  message: optional(string, 'What the plugin said.'),
  phase: optional(
    word('Running', 'Successful', 'Failed', 'Error'),
    'Running, Successful, Failed or Error.',
  ),
  startedAt: optional(time, 'When it was first called.'),
  updatedAt: optional(time, 'When it was last called.'),
  finishedAt: optional(time, 'When it finished.'),
  operation: required(word('Run', 'Terminate', 'Abort'), 'Run, Terminate or Abort.'),
  backoff: optional(string, 'Duration until the next call.'),
  executions: optional(int32, 'How often it was called.'),
  disabled: optional(boolean, 'True: skipped.'),
  status: optional(any, 'State that the plugin keeps.'),
})

export const rolloutStatus = object({
  abort: optional(boolean, 'True: the update is aborted.'),
  pauseConditions: optional(list(pauseCondition), 'Why the controller paused; users clear it.'),
  controllerPause: optional(boolean, 'True: the controller paused the Rollout.'),
  abortedAt: optional(time, 'When the update was aborted.'),
  currentPodHash: optional(string, 'Hash label of the new ReplicaSet.'),
  currentStepHash: optional(string, 'Hash of the steps.'),
  replicas: optional(int32, 'Pods that exist.'),
  updatedReplicas: optional(int32, 'Pods of the new ReplicaSet.'),
  readyReplicas: optional(int32, 'Pods that are ready.'),
  availableReplicas: optional(int32, 'Pods that are available.'),
  currentStepIndex: optional(int32, 'Index of the step being taken, counted from 0.'),
  collisionCount: optional(int32, 'Salt of the hash.'),
  observedGeneration: optional(string, 'Generation that this status is about.'),
  conditions: optional(list(condition), 'Conditions.'),
  canary: optional(
    object({
      currentStepAnalysisRunStatus: optional(runStatus, 'Run of the step.'),
      currentBackgroundAnalysisRunStatus: optional(runStatus, 'Run beside the steps.'),
      currentExperiment: optional(string, 'Name of the running Experiment.'),
      weights: optional(
        object({
          canary: required(weightDestination, 'The canary.'),
          stable: required(weightDestination, 'The stable pods.'),
          additional: optional(list(weightDestination), 'Experiments.'),
          verified: optional(boolean, 'Whether the router has confirmed it.'),
        }),
        'Weights last set.',
      ),
      stablePingPong: optional(word('ping', 'pong'), 'ping or pong: the stable one.'),
      stepPluginStatuses: optional(list(stepPluginStatus), 'State of step plugins.'),
    }),
    'State of a canary.',
  ),
  blueGreen: optional(
    object({
      previewSelector: optional(string, 'Hash that the preview Service selects.'),
      activeSelector: optional(string, 'Hash that the active Service selects.'),
      scaleUpPreviewCheckPoint: optional(boolean, 'True once the preview was at full size.'),
      prePromotionAnalysisRunStatus: optional(runStatus, 'Run before the switch.'),
      postPromotionAnalysisRunStatus: optional(runStatus, 'Run after the switch.'),
    }),
    'State of a blue-green update.',
  ),
  HPAReplicas: optional(int32, 'Pods that an autoscaler should count.'),
  selector: optional(string, 'Pods that an autoscaler should look at.'),
  stableRS: optional(string, 'Hash label of the stable ReplicaSet.'),
  restartedAt: optional(time, 'spec.restartAt of the last finished restart.'),
  promoteFull: optional(boolean, 'True: skip steps, pauses and analysis.'),
  phase: optional(
    word('Healthy', 'Degraded', 'Progressing', 'Paused'),
    'Healthy, Degraded, Progressing or Paused.',
  ),
  message: optional(string, 'Why the Rollout is in its phase.'),
  workloadObservedGeneration: optional(string, 'Generation of the referenced workload.'),
  alb: optional(albStatus, 'AWS objects.'),
  albs: optional(list(albStatus), 'AWS objects of several Ingresses.'),
  duration: optional(
    object({
      rolloutStartedAt: optional(time, 'When the update began.'),
      manualPauseStartedAt: optional(time, 'When the present manual pause began.'),
      finishedAt: optional(time, 'When the update ended.'),
      totalManualPauseDurationSeconds: optional(int64, 'Seconds spent in manual pauses.'),
      completionStatus: optional(
        word('Promoted', 'FastPromoted', 'Aborted', 'Superseded', 'RolledBack', 'FastRolledBack'),
        'How it ended.',
      ),
    }),
    'How long the update took.',
  ),
})

export const rollout = resource(rolloutSpec, rolloutStatus)
