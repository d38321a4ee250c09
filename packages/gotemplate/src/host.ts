import { FunctionFailure, type Run } from './run.ts'
import { timeOf } from './time/instant.ts'
import {
  type GoFunction,
  GoList,
  GoMap,
  isObject,
  type JsonNumber,
  type Value,
  variadicFunction,
} from './value.ts'

/** A function of the caller; see `Functions`. */
export type HostFunction = (...args: readonly unknown[]) => unknown

const VALUES = new WeakSet<object>()

/** Marks a value of the engine that callers may put into their data, such as `time.Now`. */
export function asHost(value: GoFunction | GoMap): unknown {
  VALUES.add(value)
  return value
}

/**
 * Plain data into Go values, as after decoding JSON: numbers are float64, objects maps, `undefined` members absent.
 * Beyond JSON: bigint is an int, Uint8Array bytes, Date a time in UTC, a function callable with `call`.
 */
export function fromHost(data: unknown): Value {
  if (data === null) return null
  switch (typeof data) {
    case 'undefined':
      return undefined
    case 'boolean':
    case 'bigint':
      return data
    case 'string':
      return data.toWellFormed()
    case 'number':
      return { kind: 'json-number', value: data } satisfies JsonNumber
    case 'function':
      return hostFunction(data as HostFunction)
    case 'symbol':
      return null
    case 'object':
      return objectFromHost(data)
  }
}

function objectFromHost(data: object): Value {
  if (VALUES.has(data)) return data as Value
  if (data instanceof Date) return timeOf(BigInt(data.getTime()) * 1_000_000n)
  if (data instanceof Uint8Array) {
    return new GoList(
      () => Array.from(data, (byte) => ({ kind: 'integer', type: 'uint8', value: BigInt(byte) })),
      { type: '[]uint8' },
    )
  }
  if (Array.isArray(data)) {
    return new GoList(() =>
      data.map((item: unknown) => (item === undefined ? null : fromHost(item))),
    )
  }
  const members = Object.entries(data).filter(([, value]) => value !== undefined)
  // The variable `secrets` is a map of bytes in Go, which shows for absent keys.
  const isBytes = members.length > 0 && members.every(([, value]) => value instanceof Uint8Array)
  return new GoMap(
    () =>
      new Map(
        members.map(([key, value]): [string, Value] => [key.toWellFormed(), fromHost(value)]),
      ),
    isBytes ? { type: 'map[string][]uint8' } : {},
  )
}

export function hostFunction(call: HostFunction): GoFunction {
  const wrapped = variadicFunction([], 'any', (_, args, run) => {
    const given = args.map((arg) => toHost(arg, run))
    try {
      return fromHost(call(...given)) ?? null
    } catch (error) {
      throw new FunctionFailure(error instanceof Error ? error.message : String(error))
    }
  })
  return { ...wrapped, type: 'func(...interface {}) interface {}' }
}

/** What a function of the caller receives: plain data, all integers as bigint. */
function toHost(value: Value, run: Run): unknown {
  run.spend(1)
  if (!isObject(value)) return value ?? null
  switch (value.kind) {
    case 'json-number':
    case 'integer':
      return value.value
    case 'list':
      return value.items.map((item) => toHost(item, run))
    case 'map':
      return Object.fromEntries(
        [...value.entries].map(([key, member]) => [key, toHost(member, run)]),
      )
    case 'time':
      return new Date(Number(value.nanos / 1_000_000n))
    case 'version':
      return value.original
    case 'func':
      return null
  }
}
