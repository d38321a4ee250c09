import {
  type MeasurementQuestion,
  PluginError,
  type PluginMethod,
  type PluginQuestions,
  type StepQuestion,
} from '../plugin-process.ts'
import { goStruct, textOfGob } from './go-types.ts'
import { type GobStruct, type GobValue, gobBytes, gobInt, gobString, struct } from './gob-types.ts'

/** A method of net/rpc with what it is sent and what its answer means (spec metric-providers 14.3). */
interface Exchange<Q> {
  /** Behind `Plugin.`. */
  readonly method: string
  /** Under which the plugin has registered the type of the arguments. */
  readonly argumentName: string
  readonly argumentType: GobStruct
  argument(question: Q): GobValue
  /** Throws a `PluginError` where the plugin said no. */
  answer(reply: GobValue): unknown
}

const rollout = goStruct('v1alpha1.Rollout')
const analysisRun = goStruct('v1alpha1.AnalysisRun')
const metric = goStruct('v1alpha1.Metric')
const measurement = goStruct('v1alpha1.Measurement')

const runArgs = struct('RunArgs', { AnalysisRun: analysisRun.gob, Metric: metric.gob })
const terminateAndResumeArgs = struct('TerminateAndResumeArgs', {
  AnalysisRun: analysisRun.gob,
  Metric: metric.gob,
  Measurement: measurement.gob,
})
const garbageCollectArgs = struct('GarbageCollectArgs', {
  AnalysisRun: analysisRun.gob,
  Metric: metric.gob,
  Limit: gobInt,
})
const getMetadataArgs = struct('GetMetadataArgs', { Metric: metric.gob })

const stepContext = struct('RpcStepContext', {
  PluginName: gobString,
  Config: gobBytes,
  Status: gobBytes,
})
const stepArgs = (name: string) => struct(name, { Rollout: rollout.gob, Context: stepContext })

function onMeasurement(method: string): Exchange<MeasurementQuestion> {
  return {
    method,
    argumentName: 'TerminateAndResumeArgs',
    argumentType: terminateAndResumeArgs,
    argument: (question) => ({
      AnalysisRun: analysisRun.toGob(question.run) ?? {},
      Metric: metric.toGob(question.metric) ?? {},
      Measurement: measurement.toGob(question.measurement) ?? {},
    }),
    answer: (reply) => measurement.toJson(reply),
  }
}

/** Just below Go's longest duration: a plugin may well ask for that one, and no number of ours can hold it. */
const mostNanoseconds = 9.2e18

function onStep(method: string, argumentName: string): Exchange<StepQuestion> {
  return {
    method,
    argumentName,
    argumentType: stepArgs(argumentName),
    argument: (question) => ({
      Rollout: rollout.toGob(question.rollout) ?? {},
      Context: {
        PluginName: question.name,
        Config: rawJson(question.config),
        Status: rawJson(question.status),
      },
    }),
    answer(reply) {
      const { Result = {}, Error: error = {} } = reply as Record<string, GobValue>
      throwRpcError(error)
      const result = Result as Record<string, GobValue>
      const asked = Number(result['RequeueAfter'] ?? 0)
      const nanoseconds = Math.min(Math.max(0, asked), mostNanoseconds)
      return {
        phase: textOfGob(result['Phase'] ?? ''),
        message: textOfGob(result['Message'] ?? ''),
        requeueAfter: `${nanoseconds}ns`,
        status: result['Status'] ? parsedJson(result['Status'] as Uint8Array) : undefined,
      }
    },
  }
}

export const exchanges: { readonly [M in PluginMethod]: Exchange<PluginQuestions[M]> } = {
  'metric/run': {
    method: 'Run',
    argumentName: 'RunArgs',
    argumentType: runArgs,
    argument: (question) => ({
      AnalysisRun: analysisRun.toGob(question.run) ?? {},
      Metric: metric.toGob(question.metric) ?? {},
    }),
    answer: (reply) => measurement.toJson(reply),
  },
  'metric/resume': onMeasurement('Resume'),
  'metric/terminate': onMeasurement('Terminate'),
  'metric/garbageCollect': {
    method: 'GarbageCollect',
    argumentName: 'GarbageCollectArgs',
    argumentType: garbageCollectArgs,
    argument: (question) => ({
      AnalysisRun: analysisRun.toGob(question.run) ?? {},
      Metric: metric.toGob(question.metric) ?? {},
      Limit: question.limit,
    }),
    answer(reply) {
      throwRpcError(reply)
      return null
    },
  },
  'metric/metadata': {
    method: 'GetMetadata',
    argumentName: 'GetMetadataArgs',
    argumentType: getMetadataArgs,
    argument: (question) => ({ Metric: metric.toGob(question.metric) ?? {} }),
    answer: (reply) =>
      Object.fromEntries(
        Object.entries(reply as Record<string, GobValue>).map(([key, text]) => [
          key,
          textOfGob(text),
        ]),
      ),
  },
  'step/run': onStep('Run', 'step.RunArgs'),
  'step/terminate': onStep('Terminate', 'step.TerminateArgs'),
  'step/abort': onStep('Abort', 'step.AbortArgs'),
}

/** Upstream's RpcError: an empty text is none. */
export function throwRpcError(reply: GobValue): void {
  const text = (reply as Record<string, GobValue>)['ErrorString']
  if (typeof text === 'string' && text !== '') throw new PluginError(text)
}

function rawJson(value: unknown): Uint8Array {
  return value === undefined || value === null
    ? new Uint8Array(0)
    : new TextEncoder().encode(JSON.stringify(value))
}

function parsedJson(bytes: Uint8Array): unknown {
  const text = new TextDecoder().decode(bytes)
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new Error(`the status is no JSON: ${JSON.stringify(text)}`, { cause })
  }
}
