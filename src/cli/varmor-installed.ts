#!/usr/bin/env node
import { runVarmor } from './program.ts'

// The program of an installation in a cluster has no sandbox.
await runVarmor()
