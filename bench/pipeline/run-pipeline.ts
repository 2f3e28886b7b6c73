import { type PipelineRun, runPipeline } from './pipeline-run.ts'

console.log(JSON.stringify(await runPipeline(JSON.parse(process.argv[2] ?? '{}') as PipelineRun)))
