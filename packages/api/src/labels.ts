/** The revision a pod, ReplicaSet, run or Experiment belongs to; also a selector key of managed Services (spec api 12). */
export const hashLabel = 'rollouts-pod-template-hash'

/** Well-known label keys (spec api 12). */
export const labelKeys = {
  podTemplateHash: hashLabel,
  /** Which controller looks after the object. */
  instanceId: 'argo-rollouts.argoproj.io/controller-instance-id',
  /** On an AnalysisRun: Step, Background, PrePromotion or PostPromotion. */
  rolloutType: 'rollout-type',
  /** On the run of a step: its index, counted from 0. */
  stepIndex: 'step-index',
  /** On a Job and its pods: UID of the run. */
  analysisRunUid: 'analysisrun.argoproj.io/uid',
  /** On the pods of an Experiment: which of its templates they belong to, so that no other pods are like them. Ours. */
  experimentTemplate: 'serinus.dev/experiment-template',
  /** On a Secret with the kubeconfig of the Istio primary cluster: `true`. */
  istioPrimaryCluster: 'istio.argoproj.io/primary-cluster',
} as const

/** Well-known annotation keys (spec api 12). */
export const annotationKeys = {
  /** On Rollout, ReplicaSet, AnalysisRun, Experiment: decimal revision. */
  revision: 'rollout.argoproj.io/revision',
  /** On a ReplicaSet: its earlier revisions, separated by commas. */
  revisionHistory: 'rollout.argoproj.io/revision-history',
  /** On a ReplicaSet: `spec.replicas` of the Rollout when it was last scaled. */
  desiredReplicas: 'rollout.argoproj.io/desired-replicas',
  /** On a Rollout: generation of the referenced workload. */
  workloadGeneration: 'rollout.argoproj.io/workload-generation',
  /** On a ReplicaSet: JSON of the labels and annotations injected for its role. */
  ephemeralMetadata: 'rollout.argoproj.io/ephemeral-metadata',
  /** On a ReplicaSet: RFC 3339 instant after which it may go to 0. */
  scaleDownDeadline: 'scale-down-deadline',
  /** On a Rollout: requests per second of both versions together, which `lint` reckons with. Ours. */
  expectedRequestsPerSecond: 'serinus.dev/expected-requests-per-second',
  /** On an AnalysisRun, and the Experiment that makes it: how many metrics with a test share alpha in the update. Ours. */
  alphaShares: 'serinus.dev/alpha-shares',
  /** On a ReplicaSet: its last update was aborted. Ours. */
  aborted: 'serinus.dev/aborted',
  /** On a ReplicaSet: an update goes back to it while its pods have not gone yet. Ours. */
  fastRollback: 'serinus.dev/fast-rollback',
  /** On a Deployment: name of the Rollout in whose favour it was scaled down, and how many pods it had. Ours. */
  scaledDownBy: 'serinus.dev/scaled-down-by',
  scaledDownFrom: 'serinus.dev/scaled-down-from',
  /** On a Service: name of the Rollout that owns its selector. */
  managedBy: 'argo-rollouts.argoproj.io/managed-by-rollouts',
  /** Declared upstream and never used. */
  restartedAfter: 'argo-rollouts.argoproj.io/restarted-after',
  /** On ReplicaSet and Service of an Experiment. */
  experimentName: 'experiment.argoproj.io/name',
  experimentTemplateName: 'experiment.argoproj.io/template-name',
  /** On a Job: the run and metric it measures. */
  analysisRunName: 'analysisrun.argoproj.io/name',
  analysisRunNamespace: 'analysisrun.argoproj.io/namespace',
  analysisRunMetricName: 'analysisrun.argoproj.io/metric-name',
  /** Subscriptions as YAML. */
  subscriptions: 'notifications.argoproj.io/subscriptions',
  /** Begins `notifications.argoproj.io/subscribe.<trigger>.<service>`. */
  subscribePrefix: 'notifications.argoproj.io/subscribe.',
  /** Which notifications were delivered; never copied to ReplicaSets. */
  notified: 'notified.notifications.argoproj.io',
  /** On a Rollout: `and` where a request must match every entry of a header route; one is enough without it. Ours. */
  headerMatch: 'rollouts.argoproj.io/header-match',
  /** On an Ingress (deprecated upstream). */
  managedAlbActions: 'rollouts.argoproj.io/managed-alb-actions',
  /** On an Ingress: JSON map of Rollout to annotation keys. */
  managedAlbAnnotations: 'rollouts.argoproj.io/managed-alb-annotations',
  /** On a route of the Gateway API: JSON map of Rollout to the rules and backends that it put there. Ours. */
  managedRules: 'rollouts.argoproj.io/managed-rules',
} as const
