import { textHash } from './hash.ts'

/** Names of the objects that a Rollout, Experiment or AnalysisRun brings into being (spec api 8.3). */
export const names = {
  /** `my-app-7fd9d6f5cf` */
  replicaSet(rollout: string, hash: string): string {
    return `${rollout}-${hash}`
  },

  /**
   * `my-app-7fd9d6f5cf-3`, with an infix `my-app-7fd9d6f5cf-3-2`: the index of the step, `pre` or
   * `post`; none for the background run. A repeated run (`attempt` from 1) gets `.1`.
   */
  analysisRun(run: {
    readonly rollout: string
    readonly hash: string
    readonly revision: number
    readonly infix?: string | undefined
    readonly attempt?: number | undefined
  }): string {
    const base = `${run.rollout}-${run.hash}-${run.revision}`
    return withAttempt(run.infix === undefined ? base : `${base}-${run.infix}`, '.', run.attempt)
  },

  /** `my-app-7fd9d6f5cf-3-0`; a repeated one (`attempt` from 1) gets `-1`. */
  experiment(experiment: {
    readonly rollout: string
    readonly hash: string
    readonly revision: number
    readonly step: number
    readonly attempt?: number | undefined
  }): string {
    const { rollout, hash, revision, step, attempt } = experiment
    return withAttempt(`${rollout}-${hash}-${revision}-${step}`, '-', attempt)
  },

  /** `<experiment>-<template>`, also the name of its Service unless the template names one. */
  experimentReplicaSet(experiment: string, template: string): string {
    return `${experiment}-${template}`
  },

  /**
   * The value of the label that tells the pods of an Experiment's template from all others: the name of their
   * ReplicaSet, cut to 63 characters and made unique by a hash where it is longer.
   */
  experimentTemplateLabel(experiment: string, template: string): string {
    const name = names.experimentReplicaSet(experiment, template)
    return name.length <= 63 ? name : `${name.slice(0, 52)}-${textHash(name)}`
  },

  /** `<experiment>-<analysis>`; a repeated run (`attempt` from 1) gets `.1`. */
  experimentAnalysisRun(experiment: string, analysis: string, attempt?: number): string {
    return withAttempt(`${experiment}-${analysis}`, '.', attempt)
  },

  /** `<run UID>.<metric>.<n>`; the metric is cut so that the whole has 63 characters at most. */
  analysisJob(job: {
    readonly runUid: string
    readonly metric: string
    /** Counted from 1. */
    readonly measurement: number
  }): string {
    const fixed = job.runUid.length + String(job.measurement).length + 2
    return `${job.runUid}.${job.metric.slice(0, Math.max(0, 63 - fixed))}.${job.measurement}`
  },

  /** `<rollout>-<stable Ingress>-canary`, cut in front of `-canary` to 253 characters at most. */
  canaryIngress(rollout: string, stableIngress: string): string {
    return `${`${rollout}-${stableIngress}`.slice(0, 253 - '-canary'.length)}-canary`
  },
} as const

function withAttempt(base: string, separator: string, attempt: number | undefined): string {
  return attempt ? `${base}${separator}${attempt}` : base
}
