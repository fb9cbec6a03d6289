/** Says what a picture shows as a whole; the names that Plot gives to its parts would be read out without sense. */
export function asImage<Picture extends Element>(picture: Picture, label: string): Picture {
  for (const part of picture.querySelectorAll('[aria-label]')) part.removeAttribute('aria-label');
  picture.setAttribute('role', 'img');
  picture.setAttribute('aria-label', label);
  return picture;
}
