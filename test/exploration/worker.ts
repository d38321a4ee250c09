import { parentPort, workerData } from 'node:worker_threads'
import { explore } from './explore.ts'
import { shapes } from './shapes.ts'

const { index, most } = workerData as { readonly index: number; readonly most: number }
const shape = shapes[index]
if (!shape) throw new RangeError(`there is no shape ${index}`)
parentPort?.postMessage(explore(shape, most))
