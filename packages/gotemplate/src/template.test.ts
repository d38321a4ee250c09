import { describe, expect, test } from 'vitest'
import { type ExecuteOptions, execute, parse, referencedFields, timeVariable } from './index.ts'

function render(text: string, data: unknown = {}, options: ExecuteOptions = {}): string {
  const parsed = parse('notice', text)
  if (!parsed.ok) return `problem: ${parsed.problem.message}`
  const executed = execute(parsed.template, data, options)
  return executed.ok ? executed.text : `problem: ${executed.problem.message}`
}

function problemOf(text: string, data: unknown = {}) {
  const parsed = parse('notice', text)
  if (!parsed.ok) return parsed.problem
  const executed = execute(parsed.template, data)
  return executed.ok ? undefined : executed.problem
}

/** A repeatable source: 0, 0.1, … 0.9, 0, … */
function tenths(): () => number {
  let count = 0
  return () => (count++ % 10) / 10
}

const SPRIG = `
abbrev abbrevboth add add1 add1f addf adler32sum ago all any append atoi b32dec b32enc b64dec
b64enc base bcrypt biggest buildCustomCert camelcase cat ceil chunk clean coalesce compact
concat contains date dateInZone dateModify date_in_zone date_modify decryptAES deepCopy
deepEqual default derivePassword dict dig dir div divf duration durationRound empty encryptAES
ext fail first float64 floor fromJson genCA genCAWithKey genPrivateKey genSelfSignedCert
genSelfSignedCertWithKey genSignedCert genSignedCertWithKey get getHostByName has hasKey
hasPrefix hasSuffix hello htmlDate htmlDateInZone htpasswd indent initial initials int int64
isAbs join kebabcase keys kindIs kindOf last list lower max maxf merge mergeOverwrite min minf
mod mul mulf mustAppend mustChunk mustCompact mustDateModify mustDeepCopy mustFirst mustFromJson
mustHas mustInitial mustLast mustMerge mustMergeOverwrite mustPrepend mustPush mustRegexFind
mustRegexFindAll mustRegexMatch mustRegexReplaceAll mustRegexReplaceAllLiteral mustRegexSplit
mustRest mustReverse mustSlice mustToDate mustToJson mustToPrettyJson mustToRawJson mustUniq
mustWithout must_date_modify nindent nospace now omit osBase osClean osDir osExt osIsAbs pick
pluck plural prepend push quote randAlpha randAlphaNum randAscii randBytes randInt randNumeric
regexFind regexFindAll regexMatch regexQuoteMeta regexReplaceAll regexReplaceAllLiteral
regexSplit repeat replace rest reverse round semver semverCompare seq set sha1sum sha256sum
sha512sum shuffle slice snakecase sortAlpha split splitList splitn squote sub subf substr
swapcase ternary title toDate toDecimal toJson toPrettyJson toRawJson toString toStrings trim
trimAll trimPrefix trimSuffix trimall trunc tuple typeIs typeIsLike typeOf uniq unixEpoch unset
until untilStep untitle upper urlJoin urlParse uuidv4 values without wrap wrapWith
`

describe('functions', () => {
  test('every function of sprig but env and expandenv is known', () => {
    const names = SPRIG.trim().split(/\s+/)
    expect(names).toHaveLength(209)
    const unknown = names.filter((name) => !parse('notice', `{{${name}}}`).ok)
    expect(unknown).toEqual([])
  })

  test('functions that nobody needs in a message fail the rendering and not the configuration', () => {
    expect(render('{{genCA "x" 365}}')).toBe(
      'problem: template: notice:1:2: executing "notice" at <genCA "x" 365>: ' +
        'error calling genCA: genCA is not offered in notification templates',
    )
    expect(render('{{getHostByName "x"}}', {}, { functions: { getHostByName: () => '::1' } })).toBe(
      '::1',
    )
  })

  test('a function of the caller gets plain data and its result is data', () => {
    const parsed = parse('notice', '{{(owner .rollout 2).team}}', { functions: ['owner'] })
    if (!parsed.ok) throw new Error(parsed.problem.message)
    const seen: unknown[] = []
    const owner = (...args: readonly unknown[]) => {
      seen.push(...args)
      return { team: 'payments' }
    }
    const rollout = { name: 'web', replicas: 3, tags: ['a'] }
    expect(execute(parsed.template, { rollout }, { functions: { owner } })).toEqual({
      ok: true,
      text: 'payments',
    })
    expect(seen).toEqual([rollout, 2n])
  })

  test('a function of the caller that throws is an error at its place', () => {
    const parsed = parse('notice', 'a {{owner}}', { functions: ['owner'] })
    if (!parsed.ok) throw new Error(parsed.problem.message)
    const owner = () => {
      throw new Error('no owner')
    }
    expect(execute(parsed.template, {}, { functions: { owner } })).toEqual({
      ok: false,
      partial: 'a ',
      problem: {
        message:
          'template: notice:1:4: executing "notice" at <owner>: error calling owner: no owner',
        line: 1,
        column: 4,
      },
    })
    expect(execute(parsed.template, {})).toMatchObject({
      problem: {
        message:
          'template: notice:1:4: executing "notice" at <owner>: "owner" is not a defined function',
      },
    })
  })
})

describe('time and chance come from the caller only', () => {
  const now = Date.parse('2026-08-01T12:00:00.250Z')

  test('now is the given instant in the given zone', () => {
    expect(render('{{now}}', {}, { now })).toBe('2026-08-01 12:00:00.25 +0000 UTC')
    expect(render('{{date "15:04 MST" now}}', {}, { now, timeZone: 'Europe/Berlin' })).toBe(
      '14:00 CEST',
    )
    expect(render('{{now | unixEpoch}}', {}, { now })).toBe('1785585600')
    expect(render('{{ago (now | dateModify "-90s")}}', {}, { now })).toBe('1m30s')
    expect(render('{{date "2006-01-02" "no time"}}', {}, { now })).toBe('2026-08-01')
    expect(render('{{durationRound (now | dateModify "-3h1m")}}', {}, { now })).toBe('3h')
  })

  test('without a clock or a random source the functions that need one fail', () => {
    expect(render('{{now}}')).toContain('error calling now: no clock was given to this rendering')
    expect(render('{{uuidv4}}')).toContain(
      'error calling uuidv4: no random source was given to this rendering',
    )
  })

  test('random functions repeat when their source does', () => {
    const text =
      '{{uuidv4}} {{randAlphaNum 4}} {{randAlpha 4}} {{randNumeric 4}} {{randAscii 4}} {{randInt 5 9}} {{shuffle "abc"}} {{randBytes 3}}'
    const first = render(text, {}, { random: tenths() })
    expect(first).toBe(render(text, {}, { random: tenths() }))
    expect(first).toMatch(
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12} [A-Za-z0-9]{4} [A-Za-z]{4} \d{4} [ -~]{4} [5-8] [abc]{3} [A-Za-z0-9+/]{4}$/,
    )
  })

  test('the time variable tells the time and parses RFC 3339', () => {
    const data = { time: timeVariable(now) }
    expect(render('{{(call .time.Now).Unix}}', data)).toBe('1785585600')
    expect(
      render('{{(call .time.Parse "2026-08-01T21:00:00+09:00").Format "15:04 -07"}}', data),
    ).toBe('21:00 +09')
  })
})

describe('secrets and encryption', () => {
  test('bcrypt makes a hash that Go accepts', () => {
    const options = { random: () => 0 }
    const hash = '$2a$10$......................'
    expect(render('{{bcrypt "pw"}}', {}, options)).toMatch(/^\$2a\$10\$\.{22}[./A-Za-z0-9]{31}$/)
    expect(render('{{htpasswd "me" "pw"}}', {}, options)).toContain(`me:${hash}`)
    // Known answer, made by this source and accepted by golang.org/x/crypto/bcrypt.
    let n = 1
    const random = () => {
      n = (n * 48271) % 2147483647
      return n / 2147483647
    }
    expect(render('{{bcrypt "pässword"}}', {}, { random })).toBe(
      '$2a$10$./UX3Naue0TBtfYNja8VeemrOcft2H3hGjtk3ut3x1.vjZJXUC8/2',
    )
    expect(render('{{bcrypt (repeat 73 "a")}}', {}, options)).toBe(
      'failed to encrypt string with bcrypt: bcrypt: password length exceeds 72 bytes',
    )
  })

  test('what encryptAES seals decryptAES opens', () => {
    expect(render('{{encryptAES "k" "hällo" | decryptAES "k"}}', {}, { random: tenths() })).toBe(
      'hällo',
    )
  })

  test('bytes print as numbers and as text on request', () => {
    const data = { secrets: { token: new TextEncoder().encode('abc') } }
    expect(render('{{.secrets.token}} {{printf "%s" .secrets.token}}', data)).toBe('[97 98 99] abc')
    expect(render('{{.secrets.none}} {{.secrets.token | toString}}', data)).toBe('<no value> abc')
  })
})

describe('numbers of the data', () => {
  const data = { n: 1234567, whole: 3, part: 2.5, big: 1e21, list: ['a', 'b', 'c', 'd'] }

  test('a whole number is usable as an integer by default and never upstream', () => {
    const text = '{{.n}} {{index .list .whole}} {{range .whole}}x{{end}} {{eq .whole 3}}'
    expect(render(text, data)).toBe('1234567 d xxx true')
    expect(render('{{.n}}', data, { mode: 'upstream' })).toBe('1.234567e+06')
    expect(render('{{until .whole}}', data, { mode: 'upstream' })).toContain(
      'expected int; got float64',
    )
  })

  test('a number that is not whole or beyond 64 bits stays a float', () => {
    expect(render('{{.part}} {{.big}} {{printf "%d" .part}}', data)).toBe(
      '2.5 1e+21 %!d(float64=2.5)',
    )
    expect(render('{{until .part}}', data)).toContain('expected int; got float64')
  })

  test('its Go type is float64 in both modes', () => {
    expect(render('{{typeOf .whole}} {{kindOf .whole}} {{has 3 (list .whole)}}', data)).toBe(
      'float64 float64 false',
    )
  })
})

describe('problems', () => {
  test('a parse problem names line and column', () => {
    expect(problemOf('ok\n{{if .x}}\n  {{.a-b}}')).toEqual({
      message: "template: notice:3: bad character U+002D '-'",
      line: 3,
      column: 4,
    })
  })

  test('an execution problem counts bytes from the start of its line, as Go does', () => {
    expect(problemOf('1\né {{.a.b.c}}', { a: { b: 'text' } })).toEqual({
      message:
        'template: notice:2:7: executing "notice" at <.a.b.c>: can\'t evaluate field c in type interface {}',
      line: 2,
      column: 7,
    })
  })

  test('an action that stays open names the line where it began', () => {
    expect(problemOf('{{ "a"\n\n "b')?.message).toBe(
      'template: notice:3: unterminated quoted string in action started at notice:1',
    )
  })

  test('a problem in a called template names that template', () => {
    expect(problemOf('{{define "part"}}{{fail "no"}}{{end}}{{template "part"}}')?.message).toBe(
      'template: notice:1:19: executing "part" at <fail "no">: error calling fail: no',
    )
  })

  test('the text before the problem is handed over', () => {
    const parsed = parse('notice', 'before {{fail "x"}} after')
    if (!parsed.ok) throw new Error(parsed.problem.message)
    expect(execute(parsed.template, {})).toMatchObject({ ok: false, partial: 'before ' })
  })

  test('data that cannot be read are a problem', () => {
    const data = {
      get bad(): string {
        throw new Error('broken getter')
      },
    }
    expect(render('{{.bad}}', data)).toContain('broken getter')
  })
})

describe('a hostile template ends', () => {
  test.each([
    ['a long loop', '{{range 1000000000}}{{end}}'],
    ['a huge list', '{{until 1000000000}}'],
    ['a huge text', '{{repeat 1000000000 "aaaa"}}'],
    ['a text that doubles', '{{$s := "aaaa"}}{{range until 60}}{{$s = cat $s $s}}{{end}}'],
    ['a list that doubles', '{{$l := list 1}}{{range until 60}}{{$l = list $l $l}}{{end}}{{$l}}'],
    [
      'a replacement of everything by everything',
      '{{replace "" (repeat 90000 "a") (repeat 90000 "b")}}',
    ],
    [
      'an expression that multiplies text',
      '{{$s := "a"}}{{range until 30}}{{$s = regexReplaceAll "a" $s "aaa"}}{{end}}',
    ],
    ['a password hash in a loop', '{{range until 100}}{{bcrypt "x"}}{{end}}'],
  ])('%s uses up the budget', (_, text) => {
    expect(render(text, {}, { random: () => 0, budget: 600_000 })).toContain(
      'the rendering takes more work than its budget allows',
    )
  })

  test.each([
    [
      'a template that calls itself',
      '{{define "x"}}{{template "x"}}{{end}}{{template "x"}}',
      'exceeded maximum template depth (1000)',
    ],
    ['a map that holds itself', '{{$m := dict}}{{$_ := set $m "m" $m}}{{$m}}', 'too deeply'],
    [
      'a map that holds itself as JSON',
      '{{$m := dict}}{{$_ := set $m "m" $m}}{{toJson $m}}',
      'too deeply',
    ],
    ['parentheses without end', `{{${'('.repeat(100_000)}`, 'max expression depth exceeded'],
    ['blocks without end', '{{if 1}}'.repeat(100_000), 'max expression depth exceeded'],
    [
      'an expression that nests',
      `{{regexMatch (repeat 60000 "(") "a"}}|{{mustRegexMatch (repeat 60000 "(") "a"}}`,
      'nests too deeply',
    ],
  ])('%s is an error', (_, text, message) => {
    expect(render(text)).toContain(message)
  })

  test('more than a mebibyte of output is an error', () => {
    expect(render('{{range until 11000}}{{repeat 100 "a"}}{{end}}', {}, { budget: 1e9 })).toContain(
      'the output is longer than 1048576 bytes',
    )
  })

  test('an expression that makes backtracking engines hang is judged at once', () => {
    expect(render('{{regexMatch "(a+)+$" (printf "%sb" (repeat 3000 "a"))}}')).toBe('false')
  })

  test('names of JavaScript objects are nothing special', () => {
    expect(render('{{.constructor}} {{.__proto__.x}} {{hasKey . "toString"}}', { a: 1 })).toBe(
      '<no value> <no value> false',
    )
    expect(render('{{constructor}}')).toContain('function "constructor" not defined')
  })
})

test('set changes what the template sees and never the data of the caller', () => {
  const data = { labels: { a: '1' } }
  expect(render('{{$_ := set .labels "b" 2}}{{.labels}}', data)).toBe('map[a:1 b:2]')
  expect(data).toEqual({ labels: { a: '1' } })
})

test('half a character that meets its other half is a character again', () => {
  expect(render('{{substr 0 1 "é"}}{{substr 1 2 "é"}}|{{substr 0 1 "é"}}')).toBe('é|\ufffd')
})

test('a date object of the data is a time in UTC', () => {
  const data = { at: new Date('2026-08-01T12:00:00Z') }
  expect(render('{{.at.Year}} {{.at}}', data)).toBe('2026 2026-08-01 12:00:00 +0000 UTC')
})

describe('referenced fields', () => {
  function fields(text: string): readonly string[][] {
    const parsed = parse('notice', text)
    if (!parsed.ok) throw new Error(parsed.problem.message)
    return referencedFields(parsed.template)
  }

  test('a chain is named once, in the order of its first use', () => {
    expect(
      fields('{{.rollout.status.message}} {{.serviceType}} {{.rollout.status.message | upper}}'),
    ).toEqual([['rollout', 'status', 'message'], ['serviceType']])
  })

  test('with, variables and the root are followed', () => {
    expect(
      fields(
        '{{with .rollout}}{{.kind}}{{$.recipient}}{{end}}{{$s := .rollout.status}}{{$s.abort}}{{(.a).b}}',
      ),
    ).toEqual([
      ['rollout'],
      ['rollout', 'kind'],
      ['recipient'],
      ['rollout', 'status'],
      ['rollout', 'status', 'abort'],
      ['a'],
      ['a', 'b'],
    ])
  })

  test('elements of a list are not taken for members of the data', () => {
    expect(
      fields('{{range $r := .analysisRuns}}{{.status}}{{$r.status}}{{$.x}}{{else}}{{.y}}{{end}}'),
    ).toEqual([['analysisRuns'], ['x'], ['y']])
  })

  test('a called template reads what it was called with', () => {
    expect(fields('{{define "t"}}{{.name}}{{end}}{{template "t" .rollout.metadata}}')).toEqual([
      ['rollout', 'metadata'],
      ['rollout', 'metadata', 'name'],
    ])
  })

  test('a template that calls itself ends', () => {
    expect(
      fields('{{define "t"}}{{template "t" .child}}{{end}}{{template "t" .}}').length,
    ).toBeGreaterThan(0)
  })
})
