/** A metric family in Prometheus' text format, line by line. */
export class SeriesText {
  #text = ''

  family(name: string, type: 'gauge' | 'counter' | 'histogram', help: string): void {
    this.#text += `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n`
  }

  /** @param labels as `labelText` writes them; empty for none */
  line(name: string, labels: string, value: number): void {
    this.#text += labels === '' ? `${name} ${value}\n` : `${name}{${labels}} ${value}\n`
  }

  toString(): string {
    return this.#text
  }
}

/** `a="1",b="2"`, escaped as the format asks. */
export function labelText(labels: Readonly<Record<string, string>>): string {
  const parts: string[] = []
  for (const name in labels) parts.push(`${name}="${escaped(labels[name] ?? '')}"`)
  return parts.join(',')
}

function escaped(value: string): string {
  if (!/[\\"\n]/.test(value)) return value
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
