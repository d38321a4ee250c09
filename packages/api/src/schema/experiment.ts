import { analysisPhase, argument, dryRun, measurementRetention } from './analysis.ts'
import { labelSelector, podMetadata, podTemplateSpec } from './pod-template.ts'
import {
  boolean,
  int32,
  list,
  object,
  optional,
  required,
  resource,
  string,
  time,
  word,
} from './typed-schema.ts'

export const condition = object({
  type: required(string, 'What the condition is about.'),
  status: required(word('True', 'False', 'Unknown'), 'True, False or Unknown.'),
  lastUpdateTime: required(time, 'When it was last confirmed.'),
  lastTransitionTime: required(time, 'When the status last changed.'),
  reason: required(string, 'One word for programs.'),
  message: required(string, 'A sentence for people.'),
})

export const templateService = object({
  name: optional(string, 'Name of the Service. Absent: the name of the ReplicaSet.'),
})

const experimentTemplate = object({
  name: required(string, 'Name, unique in the experiment.'),
  replicas: optional(int32, 'Number of pods; 1 by default.'),
  minReadySeconds: optional(int32, 'Seconds a pod must be ready to count as available.'),
  selector: required(labelSelector, 'Which pods belong to this template.'),
  template: required(podTemplateSpec, 'The pods.'),
  service: optional(templateService, 'Creates a Service for the pods.'),
})

const experimentAnalysis = object({
  name: required(string, 'Name of this use of the template.'),
  templateName: required(string, 'Name of the template.'),
  clusterScope: optional(boolean, 'True: a ClusterAnalysisTemplate.'),
  args: optional(list(argument), 'Arguments for the template.'),
  requiredForCompletion: optional(
    boolean,
    'True: the experiment ends when all such analyses have succeeded.',
  ),
})

export const experimentSpec = object({
  templates: required(list(experimentTemplate), 'Groups of pods to run side by side.'),
  duration: optional(string, 'Duration, counted from when all pods are available.'),
  progressDeadlineSeconds: optional(int32, 'Seconds to become available; 600 by default.'),
  terminate: optional(boolean, 'True ends the experiment early.'),
  analyses: optional(list(experimentAnalysis), 'Analyses that judge the experiment.'),
  scaleDownDelaySeconds: optional(int32, 'Seconds the pods stay after the end; 30 by default.'),
  dryRun: optional(dryRun, 'Metrics that are measured but decide nothing.'),
  measurementRetention: optional(measurementRetention, 'How many measurements to keep.'),
  analysisRunMetadata: optional(podMetadata, 'Labels and annotations of the runs.'),
})

const templateStatus = object({
  name: required(string, 'Name of the template.'),
  replicas: required(int32, 'Pods that exist.'),
  updatedReplicas: required(int32, 'Pods of the current template.'),
  readyReplicas: required(int32, 'Pods that are ready.'),
  availableReplicas: required(int32, 'Pods that are available.'),
  collisionCount: optional(int32, 'Salt of the hash.'),
  message: optional(string, 'Why the template is in its state.'),
  status: optional(
    word('Progressing', 'Running', 'Successful', 'Failed', 'Error'),
    'State of the template.',
  ),
  lastTransitionTime: optional(time, 'When the state last changed.'),
  serviceName: optional(string, 'Service in front of the pods.'),
  podTemplateHash: optional(string, 'Hash label of the pods.'),
})

const experimentRunStatus = object({
  name: required(string, 'Name of the analysis.'),
  analysisRun: required(string, 'Name of its run.'),
  phase: required(analysisPhase, 'Phase of the run.'),
  message: optional(string, 'Why the run is in its phase.'),
})

export const experimentStatus = object({
  phase: optional(analysisPhase, 'Pending, Running, Successful, Failed, Error or Inconclusive.'),
  message: optional(string, 'Why the experiment is in its phase.'),
  availableAt: optional(time, 'When all pods were first available.'),
  templateStatuses: optional(list(templateStatus), 'State of each template.'),
  conditions: optional(list(condition), 'Conditions.'),
  analysisRuns: optional(list(experimentRunStatus), 'State of each analysis.'),
})

export const experiment = resource(experimentSpec, experimentStatus)
