import { compareStrings } from './go-string.ts'

/** The semantic versions of Masterminds/semver 3, which sprig's `semver` and `semverCompare` use. */
export interface Version {
  readonly kind: 'version'
  readonly major: bigint
  readonly minor: bigint
  readonly patch: bigint
  readonly prerelease: string
  readonly metadata: string
  readonly original: string
}

export type ParsedVersion =
  | { readonly ok: true; readonly version: Version }
  | { readonly ok: false; readonly problem: string }

const SUFFIXES =
  '(-([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?(\\+([0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*))?'
const VERSION = new RegExp(`^v?([0-9]+)(\\.[0-9]+)?(\\.[0-9]+)?${SUFFIXES}$`)

export function parseVersion(text: string): ParsedVersion {
  const match = VERSION.exec(text)
  if (!match) return { ok: false, problem: 'Invalid Semantic Version' }
  const [, major = '0', minor = '.0', patch = '.0', , prerelease = '', , metadata = ''] = match
  const numbers = [major, minor.slice(1), patch.slice(1)]
  const tooBig = numbers.find((number) => BigInt(number) >= 2n ** 64n)
  if (tooBig !== undefined) {
    const detail = `strconv.ParseUint: parsing ${JSON.stringify(tooBig)}: value out of range`
    return { ok: false, problem: `Error parsing version segment: ${detail}` }
  }
  if (prerelease.split('.').some((part) => /^0[0-9]+$/.test(part))) {
    return { ok: false, problem: 'Version segment starts with 0' }
  }
  const [x = '0', y = '0', z = '0'] = numbers
  return {
    ok: true,
    version: {
      kind: 'version',
      major: BigInt(x),
      minor: BigInt(y),
      patch: BigInt(z),
      prerelease,
      metadata,
      original: text,
    },
  }
}

export function versionText(version: Version): string {
  const { major, minor, patch, prerelease, metadata } = version
  const suffix = (mark: string, text: string) => (text === '' ? '' : mark + text)
  return `${major}.${minor}.${patch}${suffix('-', prerelease)}${suffix('+', metadata)}`
}

export function compareVersions(a: Version, b: Version): number {
  if (a.major !== b.major) return a.major < b.major ? -1 : 1
  if (a.minor !== b.minor) return a.minor < b.minor ? -1 : 1
  if (a.patch !== b.patch) return a.patch < b.patch ? -1 : 1
  if (a.prerelease === b.prerelease) return 0
  if (a.prerelease === '') return 1
  if (b.prerelease === '') return -1
  return comparePrereleases(a.prerelease, b.prerelease)
}

function comparePrereleases(a: string, b: string): number {
  const ours = a.split('.')
  const theirs = b.split('.')
  for (let i = 0; i < Math.max(ours.length, theirs.length); i++) {
    const x = ours[i] ?? ''
    const y = theirs[i] ?? ''
    if (x === y) continue
    if (x === '') return -1
    if (y === '') return 1
    const xIsNumber = /^\d+$/.test(x)
    const yIsNumber = /^\d+$/.test(y)
    if (xIsNumber !== yIsNumber) return xIsNumber ? -1 : 1
    if (!xIsNumber) return compareStrings(x, y)
    return BigInt(x) > BigInt(y) ? 1 : -1
  }
  return 0
}

interface Constraint {
  readonly operator: string
  readonly version: Version
  /** Which part was left out or a wildcard; it and all after it do not count. */
  readonly open: 'none' | 'patch' | 'minor' | 'all'
}

const PART = '(?:[0-9|xX*]+)'
const OPERATORS = '!=|>=|=>|<=|=<|~>|=|>|<|~|\\^|'
const CONSTRAINED = `v?(${PART})(\\.${PART})?(\\.${PART})?${SUFFIXES}`
const ONE = `(${OPERATORS})\\s*${CONSTRAINED}`

/** `>=1.8, <2`, `^2.1.0`, `1.x || ~2.3`, `1.2 - 1.4`. */
export function checkVersion(
  text: string,
  version: Version,
): { ok: true; holds: boolean } | { ok: false; problem: string } {
  const range = new RegExp(`\\s*(${CONSTRAINED})\\s+-\\s+(${CONSTRAINED})\\s*`, 'g')
  const rewritten = text.replace(
    range,
    (...groups: string[]) => `>= ${groups[1]}, <= ${groups[9]} `,
  )
  const alternatives: Constraint[][] = []
  for (const alternative of rewritten.split('||')) {
    const constraints = parseAlternative(alternative)
    if (!Array.isArray(constraints)) return { ok: false, problem: constraints.problem }
    alternatives.push(constraints)
  }
  return {
    ok: true,
    holds: alternatives.some((constraints) => constraints.every((c) => satisfies(version, c))),
  }
}

function parseAlternative(text: string): Constraint[] | { problem: string } {
  const improper = { problem: `improper constraint: ${text}` }
  const scanner = new RegExp(ONE, 'y')
  const constraints: Constraint[] = []
  let at = /^\s*/.exec(text)?.[0].length ?? 0
  for (;;) {
    scanner.lastIndex = at
    const match = scanner.exec(text)
    if (!match) return improper
    const constraint = constraintOf(match)
    if (!constraint) return { problem: 'constraint Parser Error' }
    constraints.push(constraint)
    at += match[0].length
    const gap = /^(?:\s*,\s*|\s+|$)/.exec(text.slice(at))
    if (!gap) return improper
    at += gap[0].length
    if (at >= text.length) return gap[0].includes(',') ? improper : constraints
  }
}

function constraintOf(match: RegExpExecArray): Constraint | undefined {
  const [, operator = '', major = '', minor = '', patch = '', prerelease = ''] = match
  const isOpen = (part: string) => part === '' || ['x', 'X', '*'].includes(part.replace('.', ''))
  const open = isOpen(major) ? 'all' : isOpen(minor) ? 'minor' : isOpen(patch) ? 'patch' : 'none'
  const numbers = {
    all: '0.0.0',
    minor: `${major}.0.0`,
    patch: `${major}${minor}.0`,
    none: `${major}${minor}${patch}`,
  }[open]
  const parsed = parseVersion(numbers + prerelease)
  return parsed.ok ? { operator, version: parsed.version, open } : undefined
}

function satisfies(version: Version, constraint: Constraint): boolean {
  const { operator, version: wanted, open } = constraint
  const order = compareVersions(version, wanted)
  if (operator === '!=' && open === 'none') return order !== 0
  // A pre-release is meant only by constraints that name one.
  if (version.prerelease !== '' && wanted.prerelease === '') return false
  switch (operator) {
    case '!=':
      return differs(version, constraint)
    case '>':
      return greater(version, constraint, order)
    case '<':
      return order < 0
    case '>=':
    case '=>':
      return order >= 0
    case '<=':
    case '=<':
      if (open === 'none') return order <= 0
      if (version.major > wanted.major) return false
      return !(version.major === wanted.major && version.minor > wanted.minor && open !== 'minor')
    case '^':
      return order >= 0 && sameForCaret(version, constraint)
    case '':
    case '=':
      return open === 'none' ? order === 0 : sameForTilde(version, constraint, order)
    default:
      return sameForTilde(version, constraint, order)
  }
}

function differs(version: Version, { version: wanted, open }: Constraint): boolean {
  if (version.major !== wanted.major) return true
  if (open !== 'patch') return false
  if (version.minor !== wanted.minor) return true
  return version.prerelease !== wanted.prerelease
}

function greater(version: Version, { version: wanted, open }: Constraint, order: number): boolean {
  if (open === 'none') return order > 0
  if (version.major !== wanted.major) return version.major > wanted.major
  if (open === 'minor') return false
  return open === 'patch' ? version.minor > wanted.minor : order > 0
}

function sameForTilde(
  version: Version,
  { version: wanted, open }: Constraint,
  order: number,
): boolean {
  if (order < 0) return false
  const isZero = wanted.major === 0n && wanted.minor === 0n && wanted.patch === 0n
  if (isZero && open !== 'minor' && open !== 'patch') return true
  if (version.major !== wanted.major) return false
  return open === 'minor' || version.minor === wanted.minor
}

function sameForCaret(version: Version, { version: wanted, open }: Constraint): boolean {
  if (wanted.major > 0n || open === 'minor') return version.major === wanted.major
  if (version.major > 0n) return false
  if (wanted.minor > 0n || open === 'patch') return version.minor === wanted.minor
  if (version.minor > 0n) return false
  return version.patch === wanted.patch
}
