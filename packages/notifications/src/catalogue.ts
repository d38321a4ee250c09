/** What one built-in template says; upstream's nine have upstream's sentence and colour (spec notifications 8). */
interface Entry {
  readonly trigger: string
  readonly template: string
  readonly sentence: string
  readonly color: string
  /** Whether the reason belongs into the text, so that a phone shows it. */
  readonly tellsWhy?: boolean
  readonly fields?: readonly (readonly [title: string, value: string])[]
}

const good = '#18be52'
const bad = '#E01E5A'
const doubtful = '#ECB22E'
const name = '{{.rollout.metadata.name}}'
const step =
  '{{add .rollout.status.currentStepIndex 1}}/{{len .rollout.spec.strategy.canary.steps}}'

const entries: readonly Entry[] = [
  plain('rollout-updated', 'has been updated', good),
  {
    ...plain('rollout-step-completed', `step number ${step} has been completed`, good),
    fields: [['Step completed', step]],
  },
  {
    ...plain('rollout-paused', 'has been paused', good),
    fields: [
      [
        'Waits',
        '{{if .pause.indefinite}}for promotion{{else if .pause.duration}}{{.pause.duration}}{{else}}{{.event.pauseReason}}{{end}}',
      ],
    ],
  },
  plain('rollout-completed', 'has been completed', good),
  { ...plain('rollout-aborted', 'has been aborted', bad), tellsWhy: true },
  plain('analysis-run-running', 'analysis run is running', good),
  { ...plain('analysis-run-failed', 'analysis run failed', bad), tellsWhy: true },
  { ...plain('analysis-run-error', 'analysis run is in error state', doubtful), tellsWhy: true },
  {
    // Upstream's template lacks the second hyphen that its trigger has.
    trigger: 'on-scaling-replica-set',
    template: 'scaling-replicaset',
    sentence: 'replica set scaled to {{.rollout.spec.replicas}}',
    color: good,
    fields: [
      ['Desired replica', '{{.rollout.spec.replicas}}'],
      ['Updated replicas', '{{default 0 .rollout.status.updatedReplicas}}'],
    ],
  },
  plain('analysis-run-started', 'analysis run has been started', good),
  plain('analysis-run-completed', 'analysis run has ended: {{.analysisRun.status.phase}}', good),
  plain('analysis-run-successful', 'analysis run was successful', good),
  {
    ...plain('analysis-run-inconclusive', 'analysis run is inconclusive', doubtful),
    tellsWhy: true,
  },
  plain('rollout-resumed', 'has been resumed', good),
  { ...plain('rollout-degraded', 'is degraded', bad), tellsWhy: true },
  plain('rollout-healthy', 'is healthy', good),
]

/**
 * The lowest layer of every configuration: triggers and templates for objects that are subscribed to a name which no
 * ConfigMap defines, in the form of a ConfigMap's data. It has no services.
 */
export const catalogue: Readonly<Record<string, string>> = Object.fromEntries(
  entries.flatMap((entry) => [
    [`trigger.${entry.trigger}`, JSON.stringify([{ send: [entry.template] }])],
    [`template.${entry.template}`, JSON.stringify(templateOf(entry))],
  ]),
)

function plain(template: string, sentence: string, color: string): Entry {
  return { trigger: `on-${template}`, template, sentence, color }
}

function templateOf({ sentence, color, tellsWhy, fields = [] }: Entry) {
  const message = `Rollout ${name} ${sentence}.`
  const why = tellsWhy ? '{{if .event.message}}\n{{.event.message}}{{end}}' : ''
  const failed =
    '{{range .event.failedMetrics}}{"title": "Failed metric", "value": {{printf "%s %s %s" .name .value .message | trim | toJson}}, "short": false}, {{end}}'
  const extra = fields
    .map(([title, value]) => `{"title": "${title}", "value": "${value}", "short": true}, `)
    .join('')
  return {
    message: message + why,
    slack: {
      attachments: `[{
  "title": {{toJson .rollout.metadata.name}},
  "color": "${color}",
  "fields": [
    {"title": "Strategy", "value": "{{if .rollout.spec.strategy.blueGreen}}BlueGreen{{end}}{{if .rollout.spec.strategy.canary}}Canary{{end}}", "short": true},
    ${extra}${tellsWhy ? failed : ''}{{range .rollout.spec.template.spec.containers}}{"title": {{toJson .name}}, "value": {{toJson .image}}, "short": true}, {{end}}{"title": "Revision", "value": "{{.event.revision}}", "short": true}
  ]
}]`,
    },
  }
}
