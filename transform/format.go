package transform

// Format is an image format that Decode knows.
type Format int

// The formats. GIF is its first frame, WebP its still pictures.
const (
	Unknown Format = iota
	JPEG
	PNG
	GIF
	BMP
	TIFF
	WebP
)

// String is the format's usual name.
func (f Format) String() string {
	switch f {
	case JPEG:
		return "JPEG"
	case PNG:
		return "PNG"
	case GIF:
		return "GIF"
	case BMP:
		return "BMP"
	case TIFF:
		return "TIFF"
	case WebP:
		return "WebP"
	}
	return "unknown format"
}

// SniffLen is how many bytes of a file Sniff needs.
const SniffLen = 18

// Sniff tells the format from the first bytes of a file, [SniffLen] of them
// where there are as many. It says nothing about what follows.
func Sniff(head []byte) Format {
	has := func(at int, magic string) bool {
		return len(head) >= at+len(magic) && string(head[at:at+len(magic)]) == magic
	}
	switch {
	case has(0, "\xff\xd8\xff"):
		return JPEG
	case has(0, "\x89PNG\r\n\x1a\n"):
		return PNG
	case has(0, "GIF87a"), has(0, "GIF89a"):
		return GIF
	case has(0, "II*\x00"), has(0, "MM\x00*"):
		return TIFF
	case has(0, "RIFF") && has(8, "WEBP"):
		return WebP
	case has(0, "BM") && len(head) >= 18:
		// "BM" begins many a text; the length of the second header tells.
		switch uint32(head[14]) | uint32(head[15])<<8 | uint32(head[16])<<16 | uint32(head[17])<<24 {
		case 12, 40, 52, 56, 64, 108, 124:
			return BMP
		}
	}
	return Unknown
}
