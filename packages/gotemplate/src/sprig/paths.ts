import { posix } from 'node:path'
import { type GoFunction, goFunction } from '../value.ts'

const base = goFunction(['string'], ([path]) => (path === '' ? '.' : baseOf(path)))
const dir = goFunction(['string'], ([path]) => clean(path.slice(0, path.lastIndexOf('/') + 1)))
const ext = goFunction(['string'], ([path]) => /\.[^./]*$/.exec(path)?.[0] ?? '')
const cleaned = goFunction(['string'], ([path]) => clean(path))
const isAbs = goFunction(['string'], ([path]) => path.startsWith('/'))

/** The `os…` variants are those of the controller's Linux, thus the same. */
export const PATH_FUNCTIONS: Readonly<Record<string, GoFunction>> = {
  base,
  dir,
  ext,
  clean: cleaned,
  isAbs,
  osBase: base,
  osDir: dir,
  osExt: ext,
  osClean: cleaned,
  osIsAbs: isAbs,
}

function baseOf(path: string): string {
  const trimmed = path.replace(/\/+$/, '')
  return trimmed === '' ? '/' : trimmed.slice(trimmed.lastIndexOf('/') + 1)
}

function clean(path: string): string {
  const normal = posix.normalize(path)
  return normal.length > 1 ? normal.replace(/\/$/, '') : normal
}
