import { parse } from 'yaml'
import { servingContainer } from './behaviour.ts'
import type { Pod } from './pod.ts'
import { wishOf } from './wishes.ts'

/** What a pod says that stands in for another HTTP API. */
export interface PlayedAnswer {
  readonly contentType: string
  readonly body: string
}

/**
 * The answer that a manifest gives its pod (`sim.serinus.dev/answer`, or `answers` by path); null: the pod's own. Of
 * several paths the longest that the request begins with counts. @param path with or without its query
 */
export function playedAnswer(pod: Pod, path: string): PlayedAnswer | null {
  const container = servingContainer(pod)
  const body =
    byPath(wishOf(pod, container, 'answers'), path) ?? wishOf(pod, container, 'answer') ?? null
  if (body === null) return null
  return { contentType: wishOf(pod, container, 'answer-type') ?? 'application/json', body }
}

function byPath(text: string | undefined, path: string): string | undefined {
  if (text === undefined) return undefined
  const answers = parseAnswers(text)
  if (typeof answers === 'string') return answers
  const longest = Object.keys(answers)
    .filter((prefix) => path.startsWith(prefix))
    .sort((a, b) => b.length - a.length)[0]
  return longest === undefined ? undefined : answers[longest]
}

/** @returns where it cannot be read, the text that says so: whoever asks the pod shall see it */
function parseAnswers(text: string): Readonly<Record<string, string>> | string {
  const mistake = (detail: string) =>
    `sim.serinus.dev/answers must be a YAML map from path to text: ${detail}\n`
  try {
    const answers: unknown = parse(text)
    if (typeof answers !== 'object' || answers === null || Array.isArray(answers))
      return mistake('it is none')
    const wrong = Object.entries(answers).find(([, body]) => typeof body !== 'string')
    return wrong ? mistake(`the answer to ${wrong[0]} is no text, quote it`) : { ...answers }
  } catch (error) {
    return mistake(error instanceof Error ? error.message : String(error))
  }
}
