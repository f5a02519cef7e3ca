"""Small pictures without any library: PPM (type P6), that is a short text header and three bytes a pixel."""
import re


def draw_picture(faces, width=208, height=168):
    """Draws a wall with so many faces on it; about 102 KiB."""
    pixels = bytearray(width * height * 3)

    def paint(x, y, colour):
        pixels[(y * width + x) * 3 : (y * width + x) * 3 + 3] = bytes(colour)

    def disk(centre_x, centre_y, radius, colour):
        for y in range(centre_y - radius, centre_y + radius + 1):
            for x in range(centre_x - radius, centre_x + radius + 1):
                if (x - centre_x) ** 2 + (y - centre_y) ** 2 <= radius**2:
                    paint(x, y, colour)

    for y in range(height):
        for x in range(width):
            paint(x, y, (x % 64, 90 + y % 64, 160))
    for face in range(faces):
        x, y = 24 + face % 5 * 40, 24 + face // 5 * 40
        disk(x, y, 14, (224, 172, 105))
        disk(x - 5, y - 4, 2, (20, 20, 20))
        disk(x + 5, y - 4, 2, (20, 20, 20))
    return b"P6\n%d %d\n255\n" % (width, height) + bytes(pixels)


def read_picture(file):
    """Width, height and pixels of a P6 picture; ValueError for anything else."""
    header = re.match(rb"P6\s(\d+) (\d+)\s255\s", file)
    if header is None:
        raise ValueError("this is no P6 picture")
    width, height, pixels = int(header[1]), int(header[2]), file[header.end() :]
    if len(pixels) != width * height * 3:
        raise ValueError("the picture is cut off")
    return width, height, pixels


def shrink(file, factor):
    """A picture `factor` times smaller each way: every pixel is the mean of the square that it stands for."""
    width, height, pixels = read_picture(file)
    small_width, small_height = width // factor, height // factor
    small = bytearray()
    for top in range(0, small_height * factor, factor):
        for left in range(0, small_width * factor, factor):
            square = [(y * width + x) * 3 for y in range(top, top + factor) for x in range(left, left + factor)]
            small += bytes(sum(pixels[at + colour] for at in square) // factor**2 for colour in range(3))
    return b"P6\n%d %d\n255\n" % (small_width, small_height) + bytes(small)


def find_faces(file):
    """Finds faces by an honest and simple rule: a face is a connected patch of skin colour (red over 200, green 140 to
    200, blue under 130) that is at least 10 pixels wide and high and whose frame holds exactly two dark patches, the
    eyes."""
    width, height, pixels = read_picture(file)

    def is_skin(r, g, b):
        return r > 200 and 140 <= g <= 200 and b < 130

    def is_dark(r, g, b):
        return r < 50 and g < 50 and b < 50

    faces = []
    for frame in patches(pixels, width, (0, 0, width - 1, height - 1), is_skin):
        left, top, right, bottom = frame
        if right - left >= 9 and bottom - top >= 9 and len(patches(pixels, width, frame, is_dark)) == 2:
            faces.append({"left": left, "top": top, "right": right, "bottom": bottom})
    return faces


def patches(pixels, width, frame, wanted):
    """The frames (left, top, right, bottom) of the connected patches, inside `frame`, of the wanted pixels."""
    left, top, right, bottom = frame
    open_points = {
        (x, y)
        for y in range(top, bottom + 1)
        for x in range(left, right + 1)
        if wanted(*pixels[(y * width + x) * 3 : (y * width + x) * 3 + 3])
    }
    found = []
    while open_points:
        patch, following = [], [open_points.pop()]
        while following:
            x, y = following.pop()
            patch.append((x, y))
            for point in ((x + 1, y), (x - 1, y), (x, y + 1), (x, y - 1)):
                if point in open_points:
                    open_points.remove(point)
                    following.append(point)
        columns, rows = [x for x, _ in patch], [y for _, y in patch]
        found.append((min(columns), min(rows), max(columns), max(rows)))
    return found
