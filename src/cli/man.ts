/** The manual page, made of the very commands that it describes. Called by the build. */
import type { Command, Option } from './options.ts';

/** As troff of man(7). */
export function manPage(program: Command, version: string): string {
  const commands = program.commands.filter(
    (command) => command.name() !== 'complete' && command.name() !== 'help',
  );
  return [
    `.TH TSCHED 1 "" "tsched ${escape(version)}" "User Commands"`,
    '.SH NAME',
    'tsched \\- a cron daemon',
    '.SH SYNOPSIS',
    '.B tsched',
    '\\fIcommand\\fR [\\fIoptions\\fR]',
    '.SH DESCRIPTION',
    text(program.description()),
    '.SH COMMANDS',
    ...commands.flatMap((command) => sectionOf(command, 'tsched')),
    '.SH NOTES',
    verbatim(helpAfter(program)),
    '',
  ].join('\n');
}

function sectionOf(command: Command, parent: string): string[] {
  const name = `${parent} ${command.name()}`;
  const args = command.registeredArguments.map((argument) => {
    const shown = `${argument.name()}${argument.variadic ? '...' : ''}`;
    return argument.required ? shown : `[${shown}]`;
  });
  const inner = command.commands.filter((each) => each.name() !== 'help');
  const more = helpAfter(command);
  return [
    `.SS ${text([name, ...args].join(' '))}`,
    text(sentence(command.description())),
    ...command.registeredArguments.flatMap(({ description }, index) => item(args[index] ?? '', description)),
    ...command.options.filter(({ hidden }) => !hidden).flatMap(optionItem),
    ...(more === '' ? [] : [verbatim(more)]),
    ...inner.flatMap((each) => sectionOf(each, name)),
  ];
}

function optionItem(option: Option): string[] {
  const { flags, description, envVar, argChoices, defaultValue, defaultValueDescription } = option;
  const value: unknown = defaultValueDescription ?? defaultValue;
  const notes = [
    ...(argChoices === undefined ? [] : [`one of ${argChoices.join(', ')}`]),
    ...(typeof value === 'string' || typeof value === 'number' ? [`default: ${value}`] : []),
    ...(envVar === undefined ? [] : [`$${envVar}`]),
  ];
  return item(flags, `${description}${notes.length === 0 ? '' : ` (${notes.join('; ')})`}`);
}

function item(name: string, about: string): string[] {
  return ['.TP', `.B ${text(name)}`, text(sentence(about))];
}

function sentence(words: string): string {
  const first = words.slice(0, 1).toUpperCase() + words.slice(1);
  return /[.!?)]$/.test(first) ? first : `${first}.`;
}

/** What stands below the options in `--help`: commander tells it with all the rest alone. */
function helpAfter(command: Command): string {
  let whole = '';
  command.configureOutput({ writeOut: (text) => (whole += text) });
  command.outputHelp();
  return whole.slice(command.helpInformation().length).trim();
}

function verbatim(words: string): string {
  return ['.PP', '.nf', ...words.split('\n').map(text), '.fi'].join('\n');
}

/** A line of troff that shows the words as they are. */
function text(words: string): string {
  const escaped = escape(words);
  return /^[.']/.test(escaped) ? `\\&${escaped}` : escaped;
}

function escape(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('`', '\\(ga')
    .replaceAll(/[^\0-~]/gu, (character) => `\\[u${hex(character)}]`);
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
}
