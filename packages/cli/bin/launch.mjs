import { spawn } from 'node:child_process'
import { existsSync, realpathSync } from 'node:fs'
import * as nodeModule from 'node:module'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

/** Oldest Node.js that runs the sources as they are (type stripping, node:sqlite). */
const oldestNode = 24

/**
 * Runs an entry of the sources with the Node.js on PATH, or with the one that this project installs when that one is
 * too old, so that the launcher also works as a kubectl plugin.
 * @param {string} entry path relative to this file
 */
export async function launch(entry) {
  const here = dirname(realpathSync(fileURLToPath(import.meta.url)))
  const path = join(here, entry)
  if (Number(process.versions.node.split('.')[0]) >= oldestNode) {
    nodeModule.enableCompileCache(compileCache())
    await import(pathToFileURL(path).href)
    return
  }
  const node = ownNode(here)
  if (!node) {
    process.stderr.write(
      `Error: Node.js ${process.versions.node} is too old, ${oldestNode} or newer is needed (nodejs.org, or npm ci in the project)\n`,
    )
    process.exit(1)
  }
  const child = spawn(node, [path, ...process.argv.slice(2)], { stdio: 'inherit' })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)))
}

/**
 * Stripping types and compiling takes 150 of the 200 ms of a short command; from its second run on it takes none.
 * In the user's own folder, since code from a folder that all users write to could be anybody's.
 */
function compileCache() {
  const caches = process.env.XDG_CACHE_HOME || join(homedir(), '.cache')
  return process.env.NODE_COMPILE_CACHE || join(caches, 'serinus')
}

function ownNode(from) {
  for (let folder = from; ; folder = dirname(folder)) {
    const node = join(folder, 'node_modules', 'node', 'bin', 'node')
    if (existsSync(node)) return node
    if (dirname(folder) === folder) return null
  }
}
