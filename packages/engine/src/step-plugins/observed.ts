/** What a step plugin is asked to do; as the operations of its status items, in small letters. */
export type StepPluginMethod = 'run' | 'terminate' | 'abort'

/** Names one call of an update. */
export interface StepPluginCallId {
  /** Of the step, from 0. */
  readonly index: number
  /** Of the plugin, `<namespace>/<name>`. */
  readonly name: string
  readonly method: StepPluginMethod
  /** Which execution it is, from 1. An answer whose turn is over (its write came through unnoticed) counts once. */
  readonly serial: number
}

/** A call that is due. The shell adds the Rollout, makes it off the queue and brings its answer with a later snapshot. */
export interface StepPluginCall extends StepPluginCallId {
  /** `config` of the step; null: none, or the step is no longer there. */
  readonly config: unknown
  /** What the plugin last asked to keep; null: nothing. */
  readonly status: unknown
}

/** What became of a call that is not stored yet. */
export interface StepPluginAnswer extends StepPluginCallId {
  /** Epoch milliseconds of its arrival. */
  readonly at: number
  readonly outcome:
    | {
        readonly kind: 'reply'
        /** As the plugin says it: empty leaves the phase as it is. */
        readonly phase: string
        readonly message: string
        readonly requeueAfterMs: number
        readonly status: unknown
      }
    /** It could not be called, did not answer in time, or answered with an error. */
    | { readonly kind: 'error'; readonly message: string }
}

/** Whether a plugin can be called. */
export type StepPluginState =
  | { readonly kind: 'ready' }
  /** Its steps are passed over. */
  | { readonly kind: 'disabled' }
  /** `since`: when this process first found it so, epoch milliseconds. */
  | { readonly kind: 'unavailable'; readonly message: string; readonly since: number }

/** What the host of step plugins knows of those that a Rollout names, in its steps or its status. */
export interface ObservedStepPlugins {
  /** By name. */
  readonly states: Readonly<Record<string, StepPluginState>>
  /** Calls of this Rollout without an answer yet. */
  readonly inFlight: readonly StepPluginCallId[]
  /** In order of arrival. They come again with the next snapshot until a status that tells of them is stored. */
  readonly answers: readonly StepPluginAnswer[]
}
