/** Where packages come from: a host as URLs write it, on one port. */
export type Registry = {
  host: string;
  port: number;
  /** Named by the settings of the machine itself, and so trusted to lie at an address that is not public; an image's word is not. */
  own: boolean;
};
