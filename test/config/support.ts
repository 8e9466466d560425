/** A directory of real files to load from, and the ways tests load. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { formatDiagnostics, type Diagnostic } from '../../src/config/diagnostic.ts';
import { loadJobFile, type LoadedFile, type LoadOptions, type LoadResult } from '../../src/config/load.ts';
import type { JobDefinition } from '../../src/model.ts';

/** 2026-06-01T00:00Z */
export const NOW = 1_780_272_000_000;

export const OPTIONS: LoadOptions = { environment: {}, hostTimezone: 'UTC', now: NOW };

export class Files {
  readonly directory = mkdtempSync(join(tmpdir(), 'tsched-config-'));

  path(name: string): string {
    return join(this.directory, name);
  }

  write(name: string, content: string | Buffer): string {
    const path = this.path(name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content, { mode: 0o644 });
    return path;
  }

  /** Writes jobs.yaml and loads it. */
  load(content: string | Buffer, options: Partial<LoadOptions> = {}): Promise<LoadResult> {
    return loadJobFile(this.write('jobs.yaml', content), { ...OPTIONS, ...options });
  }

  /** Loads a file that must be right. */
  async loaded(content: string, options: Partial<LoadOptions> = {}): Promise<LoadedFile> {
    const result = await this.load(content, options);
    if (!result.ok) throw new Error(formatDiagnostics(result.errors, result.texts, { color: false }));
    return result.file;
  }

  /** The one job called `j` of a file that must be right. */
  async job(content: string, options: Partial<LoadOptions> = {}): Promise<JobDefinition> {
    const job = (await this.loaded(content, options)).jobs.find(({ id }) => id === 'j');
    if (job === undefined) throw new Error('no job "j"');
    return job;
  }

  [Symbol.dispose](): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export function found(result: LoadResult): readonly Diagnostic[] {
  return result.ok ? result.file.warnings : [...result.errors, ...result.warnings];
}

/** One line for each: `line:column severity path: message | hint`. */
export function lines(result: LoadResult): string[] {
  return found(result).map(({ line, column, severity, path, message, hint }) => {
    const where = path === '' ? '' : `${path}: `;
    return `${line}:${column} ${severity} ${where}${message}${hint === undefined ? '' : ` | ${hint}`}`;
  });
}
