/** A word as a shell (POSIX) takes it: as it is when nothing in it means anything to one, else between single quotes. */
export function shellWord(text: string): string {
  if (/^[A-Za-z0-9_@%+=:,./-]+$/.test(text)) return text;
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

/** An option with its value; a value that begins with a dash would be taken for an option of its own. */
export function shellOption(option: string, value: string): string {
  return value.startsWith("-") ? `${option}=${shellWord(value)}` : `${option} ${shellWord(value)}`;
}

/** A here-document with a text that ends with a line end. Taken as it is, the shell looks for nothing in it. */
export function hereDocument(text: string): string {
  const lines = new Set(text.split("\n"));
  let end = "END";
  for (let n = 2; lines.has(end); n += 1) end = `END_${n}`;
  return `<<'${end}'\n${text}${end}`;
}
