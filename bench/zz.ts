import { mkdirSync, rmSync, openSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'
const F='/work/h/f'
const { feedCommand, messageOf } = await import(F+'/bench/pipeline/fed-source.ts')
const { startProcesses } = await import(F+'/bench/pipeline/live-processes.ts')
const { makeProc, maker, world, containers } = await import(F+'/bench/pipeline/world.ts')
const { processesOfContainer } = await import(F+'/bench/audit/made-up.ts')
const lines=Number(process.argv[2] ?? 1000000)
const folder='/tmp/vb'
rmSync(folder,{recursive:true,force:true}); mkdirSync(folder,{recursive:true})
const p=await startProcesses(containers*processesOfContainer)
const pid=(c:number,k:number)=>p.pids[c*processesOfContainer+k]!
makeProc(join(folder,'proc'),world()); makeProc(join(folder,'proc'),world(),pid)
for (const kind of ['AppArmor','Seccomp'] as const) {
  const fd=openSync(join(folder,kind+'.in'),'w'); const make=maker(kind,pid)
  for(let s=0;s<lines;){const r:Uint8Array[]=[];for(const e=Math.min(lines,s+5000);s<e;s++)r.push(messageOf(make(s)));writeSync(fd,Buffer.concat(r))}
  closeSync(fd)
}
console.log(feedCommand({input:join(folder,'AppArmor.in'),rate:0,start:0}).join(' '))
await new Promise(()=>{})
