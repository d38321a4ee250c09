/** Columns aligned with a gap of two; width counts code points; the last column is not padded. */
export function alignColumns(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = []
  for (const row of rows) {
    for (const [column, cell] of row.slice(0, -1).entries()) {
      widths[column] = Math.max(widths[column] ?? 0, visibleWidth(cell))
    }
  }
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === row.length - 1
          ? cell
          : cell + ' '.repeat((widths[column] ?? 0) - visibleWidth(cell) + 2),
      )
      .join(''),
  )
}

const esc = String.fromCharCode(27)
const colour = new RegExp(`${esc}\\[\\d+m`, 'g')

function visibleWidth(text: string): number {
  return [...text.replace(colour, '')].length
}

export type Paint = (text: string, code: number) => string

/** ANSI colours as upstream wraps them, also where the code is 0 (spec cli 4.5). */
export function painter(enabled: boolean): Paint {
  return enabled ? (text, code) => `${esc}[${code}m${text}${esc}[0m` : (text) => text
}
