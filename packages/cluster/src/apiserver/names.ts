/** Rules for names and labels, with the server's words (apimachinery: pkg/util/validation/validation.go). */

const dns1123LabelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?'
const dns1123SubdomainFormat = `${dns1123LabelFormat}(\\.${dns1123LabelFormat})*`
const dns1035LabelFormat = '[a-z]([-a-z0-9]*[a-z0-9])?'
const qualifiedNameFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]'
const labelValueFormat = `(${qualifiedNameFormat})?`

const dns1123Label = new RegExp(`^${dns1123LabelFormat}$`)
const dns1123Subdomain = new RegExp(`^${dns1123SubdomainFormat}$`)
const dns1035Label = new RegExp(`^${dns1035LabelFormat}$`)
const qualifiedName = new RegExp(`^${qualifiedNameFormat}$`)
const labelValue = new RegExp(`^${labelValueFormat}$`)
const configMapKey = /^[-._a-zA-Z0-9]+$/
const envVarName = /^[!-<>-~ ]+$/

function regexError(message: string, format: string, ...examples: readonly string[]): string {
  const listed = examples.map((example) => `'${example}'`).join(', or ')
  const hint = examples.length === 0 ? '' : `e.g. ${listed}, `
  return `${message} (${hint}regex used for validation is '${format}')`
}

function maxLength(length: number): string {
  return `must be no more than ${length} bytes`
}

export function dns1123LabelProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (value.length > 63) problems.push(maxLength(63))
  if (!dns1123Label.test(value)) {
    problems.push(
      dns1123Subdomain.test(value)
        ? 'must not contain dots'
        : regexError(
            "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
            dns1123LabelFormat,
            'my-name',
            '123-abc',
          ),
    )
  }
  return problems
}

export function dns1123SubdomainProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (value.length > 253) problems.push(maxLength(253))
  if (!dns1123Subdomain.test(value)) {
    problems.push(
      regexError(
        "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
        dns1123SubdomainFormat,
        'example.com',
      ),
    )
  }
  return problems
}

export function dns1035LabelProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (value.length > 63) problems.push(maxLength(63))
  if (!dns1035Label.test(value)) {
    problems.push(
      regexError(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
        dns1035LabelFormat,
        'my-name',
        'abc-123',
      ),
    )
  }
  return problems
}

/** Names of RBAC objects may hold almost anything (path segment names). */
export function pathSegmentProblems(value: string): readonly string[] {
  if (value === '.' || value === '..') return [`may not be '${value}'`]
  return ['/', '%']
    .filter((part) => value.includes(part))
    .map((part) => `may not contain '${part}'`)
}

export function labelKeyProblems(key: string): readonly string[] {
  const problems: string[] = []
  const parts = key.split('/')
  let name = parts[0] ?? ''
  if (parts.length === 2) {
    const prefix = parts[0] ?? ''
    name = parts[1] ?? ''
    if (prefix === '') problems.push('prefix part must be non-empty')
    else {
      for (const problem of dns1123SubdomainProblems(prefix))
        problems.push(`prefix part ${problem}`)
    }
  } else if (parts.length > 2) {
    return [
      `a qualified name ${regexError(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        qualifiedNameFormat,
        'MyName',
        'my.name',
        '123-abc',
      )} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ]
  }
  if (name === '') problems.push('name part must be non-empty')
  else if (name.length > 63) problems.push(`name part ${maxLength(63)}`)
  if (!qualifiedName.test(name)) {
    problems.push(
      `name part ${regexError(
        "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        qualifiedNameFormat,
        'MyName',
        'my.name',
        '123-abc',
      )}`,
    )
  }
  return problems
}

export function labelValueProblems(value: string): readonly string[] {
  const problems: string[] = []
  if (value.length > 63) problems.push(maxLength(63))
  if (!labelValue.test(value)) {
    problems.push(
      regexError(
        "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
        labelValueFormat,
        'MyValue',
        'my_value',
        '12345',
      ),
    )
  }
  return problems
}

export function configMapKeyProblems(key: string): readonly string[] {
  const problems: string[] = []
  if (key.length > 253) problems.push(maxLength(253))
  if (!configMapKey.test(key)) {
    problems.push(
      regexError(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        '[-._a-zA-Z0-9]+',
        'key.name',
        'KEY_NAME',
        'key-name',
      ),
    )
  }
  if (key === '.' || key === '..') problems.push(`must not be '${key}'`)
  else if (key.startsWith('..')) problems.push("must not start with '..'")
  return problems
}

export function envVarNameProblems(name: string): readonly string[] {
  if (envVarName.test(name)) return []
  return [
    "a valid environment variable name must consist only of printable ASCII characters other than '='",
  ]
}

export function portNameProblems(port: string): readonly string[] {
  const problems: string[] = []
  if (port.length > 15) problems.push('must be no more than 15 characters')
  if (!/^[-a-z0-9]+$/.test(port)) {
    problems.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)')
  }
  if (!/[a-z]/.test(port)) problems.push('must contain at least one letter (a-z)')
  if (port.includes('--')) problems.push('must not contain consecutive hyphens')
  if (port.startsWith('-') || port.endsWith('-'))
    problems.push('must not begin or end with a hyphen')
  return problems
}

export function portNumberProblems(port: number): readonly string[] {
  return port >= 1 && port <= 65535 ? [] : ['must be between 1 and 65535, inclusive']
}
